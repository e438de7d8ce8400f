//! `vmstat`: how many pages of each kind there are, and how often what happened.
//!
//! Linux's names, in Linux's order (6.18). Left out are those that a Linux may be built without: of NUMA and its balancing,
//! zones beside the normal and the movable one, compaction and migration, huge pages of both kinds, swap, zswap and
//! zsmalloc, KSM, CMA, balloons' events, IOMMUs. What can't happen here is 0: nothing is swapped, and there are no lists of
//! what was used lately, so that no page moves between any.
use core::fmt::{Result as Written, Write};

use mm::fault::Path;
use mm::frame::Use;
use mm::stats::Counter;

use super::disks;
use super::numbers::Numbers;
use super::text::Text;
use crate::arch::memory::memory;

const NAMES: &str = "\
nr_free_pages nr_free_pages_blocks nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file nr_zone_active_file \
nr_zone_unevictable nr_zone_write_pending nr_mlock nr_free_cma nr_inactive_anon nr_active_anon nr_inactive_file \
nr_active_file nr_unevictable nr_slab_reclaimable nr_slab_unreclaimable nr_isolated_anon nr_isolated_file \
workingset_nodes workingset_refault_anon workingset_refault_file workingset_activate_anon workingset_activate_file \
workingset_restore_anon workingset_restore_file workingset_nodereclaim nr_anon_pages nr_mapped nr_file_pages nr_dirty \
nr_writeback nr_shmem nr_shmem_hugepages nr_shmem_pmdmapped nr_file_hugepages nr_file_pmdmapped \
nr_anon_transparent_hugepages nr_vmscan_write nr_vmscan_immediate_reclaim nr_dirtied nr_written nr_throttled_written \
nr_kernel_misc_reclaimable nr_foll_pin_acquired nr_foll_pin_released nr_kernel_stack nr_page_table_pages \
nr_sec_page_table_pages pgdemote_kswapd pgdemote_direct pgdemote_khugepaged pgdemote_proactive nr_balloon_pages \
nr_kernel_file_pages nr_dirty_threshold nr_dirty_background_threshold nr_memmap_pages nr_memmap_boot_pages pgpgin \
pgpgout pswpin pswpout pgalloc_normal pgalloc_movable allocstall_normal allocstall_movable pgskip_normal \
pgskip_movable pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill pgreuse \
pgsteal_kswapd pgsteal_direct pgsteal_khugepaged pgsteal_proactive pgscan_kswapd pgscan_direct pgscan_khugepaged \
pgscan_proactive pgscan_direct_throttle pgscan_anon pgscan_file pgsteal_anon pgsteal_file pginodesteal slabs_scanned \
kswapd_inodesteal kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun pgrotated drop_pagecache \
drop_slab oom_kill unevictable_pgs_culled unevictable_pgs_scanned unevictable_pgs_rescued unevictable_pgs_mlocked \
unevictable_pgs_munlocked unevictable_pgs_cleared unevictable_pgs_stranded direct_map_level2_splits \
direct_map_level3_splits direct_map_level2_collapses direct_map_level3_collapses nr_unstable";

pub(super) fn write(out: &mut Text) -> Written {
    let numbers = Numbers::take()?;
    NAMES.split(' ').try_for_each(|name| {
        let count = pages(name, &numbers).or_else(|| events(name));
        writeln!(out, "{name} {}", count.unwrap_or(0))
    })
}

/// How many pages there are of a kind; of stacks, KiB.
fn pages(name: &str, numbers: &Numbers) -> Option<u64> {
    Some(match name {
        "nr_free_pages" => numbers.free,
        "nr_free_pages_blocks" => numbers.census.in_large_blocks() as u64,
        "nr_zone_active_anon" | "nr_active_anon" => {
            numbers.active(Use::Anonymous) + numbers.active(Use::Shared)
        }
        "nr_zone_active_file" | "nr_active_file" => numbers.active(Use::File),
        "nr_zone_unevictable" | "nr_unevictable" | "nr_mlock" => numbers.locked.pages(),
        "nr_slab_unreclaimable" => numbers.slab,
        "nr_anon_pages" => numbers.used(Use::Anonymous),
        "nr_mapped" => numbers.census.mapped() as u64,
        "nr_file_pages" => numbers.used(Use::File) + numbers.used(Use::Shared),
        "nr_zone_write_pending" => memory().dirty_pages() + memory().pages_being_written(),
        "nr_dirty" => memory().dirty_pages(),
        "nr_writeback" => memory().pages_being_written(),
        "nr_shmem" => numbers.used(Use::Shared),
        "nr_kernel_stack" => numbers.stacks * (mm::PAGE_SIZE / 1024),
        "nr_page_table_pages" => numbers.used(Use::Table),
        "nr_memmap_boot_pages" => numbers.census.record_pages() as u64,
        _ => return None,
    })
}

/// How often something happened; of disks, KiB that came and went.
fn events(name: &str) -> Option<u64> {
    let stats = &memory().stats;
    Some(match name {
        "pgpgin" => disks::moved()[0],
        "pgpgout" => disks::moved()[1],
        "pgalloc_normal" => stats.get(Counter::pgalloc_normal),
        "allocstall_normal" => stats.get(Counter::allocstall_normal),
        "pgfree" => stats.get(Counter::pgfree),
        "pglazyfree" => stats.get(Counter::pglazyfree),
        "pgfault" => stats.get(Counter::pgfault),
        "pgmajfault" => stats.get(Counter::pgmajfault),
        "pglazyfreed" => stats.get(Counter::pglazyfreed),
        "pgreuse" => stats.path(Path::CowReuse) + stats.path(Path::WriteNotify),
        "oom_kill" => stats.get(Counter::oom_kill),
        _ => return None,
    })
}
