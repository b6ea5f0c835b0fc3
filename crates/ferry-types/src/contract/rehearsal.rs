//! The bodies of rehearsals: drills with the simulated Platform of a demonstration.

use serde::{Deserialize, Serialize};

use crate::closed_set;

closed_set! {
    /// A drill of a rehearsal.
    pub enum Drill: "drill" in json {
        /// A share of the requests fails, by chance.
        Faults = "faults",
        /// Every request fails.
        Outage = "outage",
        /// Every request but those for tokens gets 429, for 60 s.
        Throttled = "throttled",
        /// The next upload arrives, and its response is lost.
        LostResponse = "lost_response",
        /// The credentials are denied, and so is every token.
        DeniedCredentials = "denied_credentials",
        /// The first row of the next upload is rejected.
        RejectedRow = "rejected_row",
        /// The workers of the process stop.
        StoppedWorkers = "stopped_workers",
    }
}

/// A drill to begin or to end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RehearsalRequest {
    /// The drill. Without one, all of them end, and the accounts resume that no operator paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    /// True to begin it, false to end it.
    pub on: bool,
    /// For the drill `faults`: the share of requests that fail, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub share: Option<f64>,
}

/// A sentence that the overview of the console shows because of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ExpectedView {
    /// Condition for it.
    pub when: String,
    /// The sentence, with the numbers of this moment.
    pub sentence: String,
    /// The effect, as it stands below.
    pub effect: String,
}

/// A drill, and what it leads to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DrillView {
    /// The drill.
    pub drill: Drill,
    /// True if it is on; one of a single request ends with that request.
    pub on: bool,
    /// For the drill `faults`: the share of requests that fail.
    pub share: Option<f64>,
    /// Sentences of the overview.
    pub expected: Vec<ExpectedView>,
}

/// A rehearsal with the simulated Platform of this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RehearsalView {
    /// All drills.
    pub drills: Vec<DrillView>,
}
