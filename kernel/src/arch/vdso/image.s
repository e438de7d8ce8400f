# The object that every program finds in its memory, an ELF file of one page, laid out by hand so that no linker is needed:
# the assembler knows every distance in it. Nothing in it is moved when it is mapped. The page in front of it is the one that
# `mod.rs` fills.
#
# Registers are those of the C calling convention; the file is in Intel's syntax.

    .pushsection .rodata.vdso, "a"
    .balign 4096
    .globl VDSO_IMAGE
    .hidden VDSO_IMAGE
VDSO_IMAGE:
vdso_start:

# ELF header.
    .byte 0x7f
    .ascii "ELF"
    .byte 2, 1, 1, 0                    # 64 bits, little-endian, version 1, System V
    .quad 0
    .short 3, 62                        # a shared object, x86-64
    .long 1
    .quad 0                             # starts nowhere
    .quad vdso_segments - vdso_start
    .quad 0                             # no sections
    .long 0
    .short 64, 56, 2, 64, 0, 0

    .balign 8
vdso_segments:
    .long 1, 5                          # PT_LOAD, read and execute
    .quad 0, 0, 0
    .quad vdso_end - vdso_start, vdso_end - vdso_start, 4096
    .long 2, 4                          # PT_DYNAMIC, read
    .quad vdso_dynamic - vdso_start, vdso_dynamic - vdso_start, vdso_dynamic - vdso_start
    .quad vdso_dynamic_end - vdso_dynamic, vdso_dynamic_end - vdso_dynamic, 8

    .balign 8
vdso_dynamic:
    .quad 14, vdso_name_object - vdso_names             # DT_SONAME
    .quad 4, vdso_hash - vdso_start                     # DT_HASH
    .quad 5, vdso_names - vdso_start                    # DT_STRTAB
    .quad 6, vdso_symbols - vdso_start                  # DT_SYMTAB
    .quad 10, vdso_names_end - vdso_names               # DT_STRSZ
    .quad 11, 24                                        # DT_SYMENT
    .quad 0x6ffffff0, vdso_versions - vdso_start        # DT_VERSYM
    .quad 0x6ffffffc, vdso_version_names - vdso_start   # DT_VERDEF
    .quad 0x6ffffffd, 2                                 # DT_VERDEFNUM
    .quad 0, 0
vdso_dynamic_end:

# Symbols: none, then each function by two names, global and weak, as on Linux.
    .macro vdso_symbol name, binding, function
    .long vdso_name_\name - vdso_names
    .byte \binding << 4 | 2, 0          # a function
    .short 1                            # defined
    .quad vdso_\function - vdso_start, vdso_\function\()_end - vdso_\function
    .endm

    .balign 8
vdso_symbols:
    .quad 0, 0, 0
    vdso_symbol __vdso_clock_gettime, 1, clock_gettime
    vdso_symbol clock_gettime, 2, clock_gettime
    vdso_symbol __vdso_gettimeofday, 1, gettimeofday
    vdso_symbol gettimeofday, 2, gettimeofday
    vdso_symbol __vdso_time, 1, time
    vdso_symbol time, 2, time
    vdso_symbol __vdso_clock_getres, 1, clock_getres
    vdso_symbol clock_getres, 2, clock_getres
    vdso_symbol __vdso_getcpu, 1, getcpu
    vdso_symbol getcpu, 2, getcpu

# One bucket for all of them.
vdso_hash:
    .long 1, 11, 1
    .long 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0

vdso_versions:
    .short 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2

    .balign 8
vdso_version_names:
    .short 1, 1, 1, 1                   # the object's own
    .long 0x0deebfa1, 20, 28
    .long vdso_name_object - vdso_names, 0
    .short 1, 0, 2, 1
    .long 0x03ae75f6, 20, 0
    .long vdso_name_version - vdso_names, 0

    .macro vdso_name name
vdso_name_\name:
    .asciz "\name"
    .endm

vdso_names:
    .byte 0
vdso_name_object:
    .asciz "linux-vdso.so.1"
vdso_name_version:
    .asciz "LINUX_2.6"
    vdso_name __vdso_clock_gettime
    vdso_name clock_gettime
    vdso_name __vdso_gettimeofday
    vdso_name gettimeofday
    vdso_name __vdso_time
    vdso_name time
    vdso_name __vdso_clock_getres
    vdso_name clock_getres
    vdso_name __vdso_getcpu
    vdso_name getcpu
vdso_names_end:

# What the page in front has, in bytes from its start; `parameters` in `mod.rs` is the other side.
    .set VVAR_SEQUENCE, 0
    .set VVAR_USABLE, 8
    .set VVAR_START, 16
    .set VVAR_SCALE, 24
    .set VVAR_EPOCH, 32
    .set VVAR_TICK, 40

    .set SECOND, 1000000000
# Sets of clocks, a bit for each number: those that are read here, those of them that show the time of day, and those that
# move by ticks.
    .set CLOCKS, 0x8f3
    .set CLOCKS_OF_DAY, 0x821
    .set CLOCKS_OF_TICKS, 0x060

    .balign 16
# Nanoseconds since boot in RAX, of the epoch at boot in RCX; carry if the counter can't be used. Changes RDX, R10, R11.
vdso_now:
    lea r10, [rip + vdso_start - 4096]
1:  mov r11, [r10 + VVAR_SEQUENCE]
    test r11b, 1                        # somebody changes them just now
    jnz 3f
    cmp qword ptr [r10 + VVAR_USABLE], 1
    jb 4f
    lfence                              # the counter is not read before what comes before
    rdtsc
    shl rdx, 32
    or rax, rdx
    sub rax, [r10 + VVAR_START]
    jae 2f
    xor eax, eax
2:  mul qword ptr [r10 + VVAR_SCALE]
    shrd rax, rdx, 32
    mov rcx, [r10 + VVAR_EPOCH]
    cmp r11, [r10 + VVAR_SEQUENCE]
    jne 1b
    clc
    ret
3:  pause
    jmp 1b
4:  ret

    .balign 16
vdso_clock_gettime:
    cmp edi, 11
    ja 2f
    mov eax, CLOCKS
    bt eax, edi
    jnc 2f
    call vdso_now
    jc 2f
    mov edx, CLOCKS_OF_DAY
    bt edx, edi
    jnc 1f
    add rax, rcx
1:  xor edx, edx
    mov ecx, SECOND
    div rcx
    mov [rsi], rax
    mov [rsi + 8], rdx
    xor eax, eax
    ret
2:  mov eax, 228
    syscall
    ret
vdso_clock_gettime_end:

    .balign 16
vdso_gettimeofday:
    test rdi, rdi
    jz 1f
    call vdso_now
    jc 3f
    add rax, rcx
    xor edx, edx
    mov ecx, SECOND
    div rcx
    mov [rdi], rax
    mov eax, edx
    xor edx, edx
    mov ecx, 1000
    div ecx
    mov [rdi + 8], rax
1:  test rsi, rsi
    jz 2f
    mov qword ptr [rsi], 0
2:  xor eax, eax
    ret
3:  mov eax, 96
    syscall
    ret
vdso_gettimeofday_end:

    .balign 16
vdso_time:
    call vdso_now
    jc 2f
    add rax, rcx
    xor edx, edx
    mov ecx, SECOND
    div rcx
    test rdi, rdi
    jz 1f
    mov [rdi], rax
1:  ret
2:  mov eax, 201
    syscall
    ret
vdso_time_end:

    .balign 16
vdso_clock_getres:
    cmp edi, 11
    ja 3f
    mov eax, CLOCKS
    bt eax, edi
    jnc 3f
    test rsi, rsi
    jz 2f
    mov ecx, 1
    mov eax, CLOCKS_OF_TICKS
    bt eax, edi
    jnc 1f
    mov rcx, [rip + vdso_start - 4096 + VVAR_TICK]
1:  mov qword ptr [rsi], 0
    mov [rsi + 8], rcx
2:  xor eax, eax
    ret
3:  mov eax, 229
    syscall
    ret
vdso_clock_getres_end:

    .balign 16
# Which processor this is the kernel says.
vdso_getcpu:
    mov eax, 309
    syscall
    ret
vdso_getcpu_end:

vdso_end:
    .org vdso_start + 4096              # refused if there is more than a page
    .popsection
