//! `Lifecycle`: the stream of events, the timeline, the counts and the state agree, and follow the table of
//! legal transitions.

use std::collections::BTreeMap;

use ferry_types::domain::submission::State;

use crate::trace::{Event, Last, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut counts = BTreeMap::new();
    for (number, last) in trace.last.iter().enumerate() {
        let Some(last) = last else { continue };
        *counts.entry((trace.facts[number].account, last.state)).or_default() += 1;
        one(last).map_err(|what| format!("submission {number}: {what}"))?;
        let seen = seen(trace, number);
        if seen != last.events {
            return Err(format!(
                "submission {number} was {seen:?}, by its events {:?}",
                last.events
            ));
        }
    }
    if counts != trace.counts {
        return Err(format!("there are {counts:?}, counted are {:?}", trace.counts));
    }
    Ok(())
}

fn one(last: &Last) -> Result<(), String> {
    let Last { state, events, timeline, .. } = last;
    if events.first() != Some(&State::Queued) || events.last() != Some(state) {
        return Err(format!("it is {state}, and its events are {events:?}"));
    }
    let mut steps = events.iter().zip(events.iter().skip(1));
    if let Some((from, to)) = steps.find(|(from, to)| !from.may_become(**to)) {
        return Err(format!("it went from {from} to {to}"));
    }
    let mut states = timeline.clone();
    states.dedup();
    let mut rest = events.iter();
    if !states.iter().all(|state| rest.any(|event| event == state)) || states.last() != Some(state)
    {
        return Err(format!("it is {state}, its timeline is {states:?}, its events {events:?}"));
    }
    Ok(())
}

/// The states that it was seen in.
fn seen(trace: &Trace, number: usize) -> Vec<State> {
    let mut seen: Vec<State> = trace
        .lasting()
        .filter_map(|entry| match &entry.event {
            Event::Changed { of, state, .. } if *of == number => Some(*state),
            _ => None,
        })
        .collect();
    seen.dedup();
    seen
}
