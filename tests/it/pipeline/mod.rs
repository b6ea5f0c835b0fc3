//! Submissions carried by real workers to the simulated Platform.

mod adaptive;
mod ambiguous;
mod crash;
mod faults;
mod lifecycle;
mod outage;
mod replicas;
mod suspended;
mod withheld;
