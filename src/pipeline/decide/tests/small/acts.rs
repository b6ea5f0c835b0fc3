//! The acts of a world, which happen in any order.

use super::super::*;
use super::scope::Forgotten;
use super::world::{Flight, LEASE, Phase, Running, World};
use ferry_types::domain::submission::{LATE_UPLOAD, Resolution};

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// A worker claims the step that is due.
    Claim(usize),
    /// A worker continues: it sends its request, or decides and commits.
    Proceed(usize),
    /// An upload arrives.
    Arrive(usize),
    /// The step of a lost worker is due again.
    Rescue(usize),
    /// Time passes, until something is due.
    Pass,
    /// An operator decides about what is held.
    Resolve(usize, Resolution),
    /// A fault happens.
    Fault(Fault),
}

/// Of each, no more happen than the scope has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// A worker is killed.
    Crash(usize),
    /// A worker stops, and aborts its upload.
    Stop(usize),
    /// A worker stands still, and its lease ends.
    Stall(usize),
    /// A worker waits for the response to its upload no longer.
    GiveUp(usize),
    /// An upload arrives, and the response is an error.
    ArriveAndFail(usize),
    /// The response to an upload is lost.
    LoseResponse(usize),
    /// The request of a worker fails, and is not carried out.
    Fail(usize),
    /// The Platform decides against the dataset.
    Reject(usize),
    /// An operator cancels a submission.
    Cancel(usize),
}

impl World {
    /// The acts that can be next; none at the end.
    pub(super) fn possible(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        let running = |worker: &usize| self.workers[*worker].is_some();
        for worker in (0..self.workers.len()).filter(running) {
            let waits =
                matches!(self.workers[worker].as_ref().map(|r| &r.phase), Some(Phase::Sent));
            acts.extend((!waits).then_some(Act::Proceed(worker)));
        }
        acts.extend((0..self.flights.len()).map(Act::Arrive));
        let is_lost =
            |of: &usize| self.submissions[*of].leased_until.is_some_and(|end| end < self.now);
        acts.extend((0..self.submissions.len()).filter(is_lost).map(Act::Rescue));
        let idle = (0..self.workers.len()).find(|worker| self.workers[*worker].is_none());
        let claims = idle.filter(|_| self.due().is_some()).map(Act::Claim);
        let must_act = claims.is_some() || acts.iter().any(|act| matches!(act, Act::Rescue(_)));
        acts.extend(claims);
        if !must_act && !self.is_busy() && self.next_time().is_some() {
            acts.push(Act::Pass);
        }
        if acts.is_empty() {
            acts.extend(self.resolutions());
        }
        if self.faults > 0 && !acts.is_empty() {
            acts.extend(self.possible_faults().into_iter().map(Act::Fault));
        }
        acts
    }

    /// True while a worker does something that takes no time.
    fn is_busy(&self) -> bool {
        self.workers.iter().flatten().any(|running| !running.is_stalled)
    }

    fn resolutions(&self) -> Vec<Act> {
        let is_held = |one: &Submission| one.state == State::Held;
        let Some(held) = self.submissions.iter().position(is_held) else { return Vec::new() };
        let resolutions: &[_] = match self.submissions[held].step {
            _ if self.resolved >= self.scope.submissions => &[Resolution::Fail],
            Some(StepKind::Upload) => &[Resolution::Fail, Resolution::Retry, Resolution::Overwrite],
            _ => &[Resolution::Fail, Resolution::Retry],
        };
        resolutions.iter().map(|resolution| Act::Resolve(held, *resolution)).collect()
    }

    fn possible_faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (worker, running) in self.workers.iter().enumerate() {
            let Some(running) = running else { continue };
            faults.push(Fault::Crash(worker));
            if !running.is_stalled {
                faults.push(Fault::Stall(worker));
            }
            match (running.kind, &running.phase) {
                (_, Phase::Claimed) => faults.push(Fault::Fail(worker)),
                (StepKind::Upload, Phase::Sent) => {
                    faults.extend([Fault::Stop(worker), Fault::GiveUp(worker)]);
                }
                (_, Phase::Answered(_)) => faults.push(Fault::LoseResponse(worker)),
                _ => {}
            }
            if running.kind == StepKind::Poll {
                faults.push(Fault::Reject(worker));
            }
        }
        let is_owned = |flight: &usize| self.flights[*flight].owner.is_ok();
        faults.extend((0..self.flights.len()).filter(is_owned).map(Fault::ArriveAndFail));
        let may_end = |of: &usize| {
            let one = &self.submissions[*of];
            !one.state.is_final() && !one.cancel_requested
        };
        faults.extend((0..self.submissions.len()).filter(may_end).map(Fault::Cancel));
        faults
    }

    /// Time at which something is due, or a lease, or the way of a request, ends.
    fn next_time(&self) -> Option<Timestamp> {
        let due = self.submissions.iter().filter_map(|one| self.due_at(one));
        let leases = self.submissions.iter().filter_map(|one| one.leased_until);
        let ends = leases.map(|end| later(end, Duration::from_millis(1)));
        let flights = self.flights.iter().filter_map(|flight| flight.owner.err());
        let times = due.chain(ends).chain(flights);
        times.filter(|time| *time > self.now).min()
    }

    /// Carries an act out; an error is the invariant that it breaks.
    pub(super) fn perform(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Claim(worker) => self.claim(worker)?,
            Act::Proceed(worker) => self.proceed(worker)?,
            Act::Arrive(flight) => drop(self.arrives(flight, false)?),
            Act::Rescue(of) => {
                let (now, forgets) = (self.now, self.scope.forgotten == Some(Forgotten::Ambiguity));
                self.change(of, |one| {
                    let entry = one.rescue(now);
                    if forgets {
                        let mut parts = one.clone().into_parts();
                        parts.upload_ambiguous = false;
                        *one = parts.into();
                    }
                    entry
                })?;
            }
            Act::Pass => self.pass(),
            Act::Resolve(of, resolution) => {
                let now = self.now;
                self.resolved += 1;
                let resolves =
                    |one: &mut Submission| one.resolve(resolution, Duration::from_hours(1), now);
                self.permitted[of] |= resolution == Resolution::Overwrite;
                self.change(of, resolves)?;
            }
            Act::Fault(fault) => {
                self.faults -= 1;
                self.suffer(fault)?;
            }
        }
        self.invariants()
    }

    fn pass(&mut self) {
        let Some(time) = self.next_time() else { return };
        self.now = time;
        self.flights.retain(|flight| flight.owner.map_or_else(|end| end > time, |_| true));
        // A worker that stood still aborts its upload as soon as it moves again, and commits nothing of it.
        let is_over = |running: &Running| running.until < time && running.kind == StepKind::Upload;
        for worker in 0..self.workers.len() {
            if self.workers[worker].as_ref().is_some_and(is_over) {
                self.abandon(worker);
                let running = self.workers[worker].take();
                // One that has sent nothing gives its step back.
                if let Some(running) =
                    running.filter(|running| matches!(running.phase, Phase::Claimed))
                {
                    self.workers[worker] = Some(running);
                }
            }
        }
    }

    /// The upload of a worker has lost the one who waits for it, and may still arrive.
    fn abandon(&mut self, worker: usize) {
        let end = later(self.now, LATE_UPLOAD);
        for flight in &mut self.flights {
            if flight.owner == Ok(worker) {
                flight.owner = Err(end);
            }
        }
    }

    fn claim(&mut self, worker: usize) -> Result<(), String> {
        let of = self.due().expect("it is possible");
        let now = self.now;
        self.change(of, |one| one.claim(LEASE, now))?;
        self.claims[of] = (self.claims[of].0 + 1, true);
        let claimed = self.submissions[of].clone();
        let kind = claimed.step.expect("it is due");
        self.workers[worker] = Some(Running {
            of,
            kind,
            claim: self.claims[of].0,
            mark: self.mark.filter(|_| kind == StepKind::Upload),
            until: claimed.leased_until.expect("it was just leased"),
            claimed,
            is_stalled: false,
            phase: Phase::Claimed,
        });
        Ok(())
    }

    fn proceed(&mut self, worker: usize) -> Result<(), String> {
        let running = self.workers[worker].take().expect("it is possible");
        let policy = self.scope.policy();
        let context = decision(&running, &policy, self.now);
        let is_over = running.until < self.now;
        let transition = match (running.kind, running.phase.clone()) {
            (_, Phase::Claimed) if is_over => return self.give_back(&running),
            (StepKind::Upload, Phase::Claimed) => match before_upload(&context) {
                Some(too_late) => too_late,
                None => return self.send(worker, may_overwrite(&context), running.clone()),
            },
            (StepKind::Upload, Phase::Answered(response)) => after_upload(&context, response),
            (StepKind::Poll, _) => {
                let token = running.claimed.processing_token.clone();
                let is_known = self.stored.map(|(_, upload)| upload.to_string()) == token;
                after_poll(
                    &context,
                    if is_known { Ok(Status::Done) } else { Err(PlatformError::UnknownToken) },
                )
            }
            (StepKind::Collect, _) => after_collect(&context, Collected::default()),
            (kind, phase) => unreachable!("{kind} is {phase:?}"),
        };
        self.commit(&running, &transition)
    }

    /// Commits what a worker decided, if its claim still owns the step.
    fn commit(&mut self, running: &Running, transition: &Transition) -> Result<(), String> {
        let now = self.now;
        if self.claims[running.of] == (running.claim, true) {
            self.change(running.of, |one| one.apply(transition, now))?;
        }
        Ok(())
    }

    fn give_back(&mut self, running: &Running) -> Result<(), String> {
        let now = self.now;
        if self.claims[running.of] == (running.claim, true) {
            self.change(running.of, |one| one.release(now))?;
        }
        Ok(())
    }

    fn send(&mut self, worker: usize, overwrite: bool, running: Running) -> Result<(), String> {
        let of = running.of;
        let mut earlier = self.submissions[..of].iter();
        if let Some(open) = earlier.find(|one| !one.state.is_final()) {
            return Err(format!("an upload of {of} leaves, and {} is not final", open.id));
        }
        self.begun = self.begun.max(of);
        self.flights.push(Flight {
            of,
            overwrite,
            ambiguous: running.claimed.upload_ambiguous || running.mark.is_some(),
            claim: running.claim,
            owner: Ok(worker),
        });
        self.workers[worker] = Some(Running { phase: Phase::Sent, ..running });
        Ok(())
    }

    fn arrives(&mut self, flight: usize, fails: bool) -> Result<(), String> {
        let flight = self.flights.remove(flight);
        let response = self.arrive(&flight)?;
        let response =
            if fails { Err(PlatformError::Ambiguous("an error".to_owned())) } else { response };
        if let Some(running) = flight.owner.ok().and_then(|worker| self.workers[worker].as_mut()) {
            running.phase = Phase::Answered(response);
        }
        Ok(())
    }

    fn suffer(&mut self, fault: Fault) -> Result<(), String> {
        let policy = self.scope.policy();
        match fault {
            Fault::Crash(worker) => {
                self.abandon(worker);
                self.workers[worker] = None;
            }
            Fault::Stall(worker) => {
                if let Some(running) = &mut self.workers[worker] {
                    running.is_stalled = true;
                }
            }
            Fault::Stop(worker) => {
                self.abandon(worker);
                let running = self.workers[worker].take().expect("it is possible");
                let transition = interrupted_upload(&decision(&running, &policy, self.now));
                self.commit(&running, &transition)?;
            }
            Fault::GiveUp(worker) | Fault::LoseResponse(worker) => {
                self.abandon(worker);
                let lost = Err(PlatformError::TimedOut("no response".to_owned()));
                if let Some(running) = &mut self.workers[worker] {
                    running.phase = Phase::Answered(lost);
                }
            }
            Fault::ArriveAndFail(flight) => self.arrives(flight, true)?,
            Fault::Fail(worker) => {
                let running = self.workers[worker].take().expect("it is possible");
                let context = decision(&running, &policy, self.now);
                let failed = after(&context, running.kind, Err(transient()));
                self.commit(&running, &failed)?;
            }
            Fault::Reject(worker) => {
                let running = self.workers[worker].take().expect("it is possible");
                let context = decision(&running, &policy, self.now);
                let status = Status::Failed { status: "failed".to_owned() };
                self.commit(&running, &after_poll(&context, Ok(status)))?;
            }
            Fault::Cancel(of) => {
                let now = self.now;
                self.change(of, |one| one.cancel(now))?;
            }
        }
        Ok(())
    }
}

fn decision<'a>(running: &'a Running, policy: &'a Policy, now: Timestamp) -> Context<'a> {
    Context {
        submission: &running.claimed,
        name_mark: running.mark,
        store_lost_data: false,
        now,
        policy,
        jitter: Jitter::for_claim(1, running.claimed.id, 1),
        schedule: None,
    }
}
