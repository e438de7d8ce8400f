//! What the processes will look like if nothing goes wrong: so that steps meet areas that exist.
//!
//! The oracle serves as crystal ball while the plan is written. Where memory runs out the forecast is wrong, which is
//! fine: a step that meets nothing is a test of that, too.
use std::cell::RefCell;
use std::rc::Rc;

use crate::files::Files;
use crate::op::{Meanwhile, Op, Pid};
use crate::oracle::{Area, Oracle, Rules};
use crate::plan::program;
use crate::random::Random;

/// The processes as they should be.
pub(super) struct Forecast {
    rules: Rules,
    stack_top: u64,
    /// What each process runs in; some run in the same.
    processes: Vec<Option<Rc<RefCell<Oracle>>>>,
}

impl Forecast {
    pub(super) fn new(rules: &Rules, stack_top: u64, processes: usize) -> Self {
        Self {
            rules: rules.clone(),
            stack_top,
            processes: vec![None; processes],
        }
    }

    /// `pid`, or the next one that should exist.
    pub(super) fn living(&self, pid: Pid) -> Pid {
        let mut pids = (pid..self.processes.len()).chain(0..pid);
        pids.find(|&pid| self.processes[pid].is_some())
            .unwrap_or(pid)
    }

    /// One of the areas that `pid` should have.
    pub(super) fn area(&self, pid: Pid, random: &mut Random) -> Option<Area> {
        let oracle = self.processes[pid].as_ref()?.borrow();
        let areas = oracle.areas();
        let at = random.below(areas.len().max(1) as u64);
        areas.get(at as usize).copied()
    }

    /// Follows the plan by one step.
    pub(super) fn follow(&mut self, op: &Op) {
        match *op {
            Op::Spawn(pid) if self.processes[pid].is_none() => self.begin(pid),
            Op::Exec(pid) if self.processes[pid].is_some() => self.begin(pid),
            Op::Fork { parent, child } if self.processes[child].is_none() => {
                let parent = self.processes[parent].as_deref();
                self.processes[child] =
                    parent.map(|oracle| Rc::new(RefCell::new(oracle.borrow().child())));
            }
            Op::Device(parent, _, _, Meanwhile::Forks(child))
                if self.processes[child].is_none() =>
            {
                self.follow(&Op::Fork { parent, child });
            }
            Op::Device(pid, address, _, Meanwhile::Unmaps) => {
                let span = crate::op::Span {
                    address: address & !4095,
                    length: 4096,
                };
                self.follow(&Op::Unmap(pid, span));
            }
            Op::Share { parent, child } if self.processes[child].is_none() => {
                self.processes[child] = self.processes[parent].clone();
            }
            Op::Exit(pid) => self.processes[pid] = None,
            Op::Limit(pid, limit, bytes) => {
                if let Some(oracle) = &self.processes[pid] {
                    oracle.borrow_mut().limit(limit, bytes);
                }
            }
            Op::Map(pid, _)
            | Op::Unmap(pid, _)
            | Op::Protect(pid, ..)
            | Op::Call(pid, _)
            | Op::Brk(pid, _) => {
                if let Some(oracle) = &self.processes[pid] {
                    call(&mut oracle.borrow_mut(), op);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, pid: Pid) {
        let mut oracle = Oracle::new(self.rules.clone(), Files::new(&self.rules.files));
        for segment in program(self.stack_top) {
            // A refusal is part of the forecast.
            let _ = oracle.map(&segment);
        }
        self.processes[pid] = Some(Rc::new(RefCell::new(oracle)));
    }
}

fn call(oracle: &mut Oracle, op: &Op) {
    // A refused call is a step like any other.
    let _ = match *op {
        Op::Map(_, ref request) => oracle.map(request).map(drop),
        Op::Unmap(_, span) => oracle.unmap(span),
        Op::Protect(_, span, rights, extent) => oracle.protect(span, rights, extent),
        Op::Brk(_, address) => oracle.brk(address).map(drop),
        Op::Call(_, ref call) => oracle.call(call).map(drop),
        _ => Ok(()),
    };
}
