//! Submissions carried by real workers to the simulated Platform.

mod ambiguous;
mod crash;
mod faults;
mod lifecycle;
mod replicas;
mod suspended;
mod trouble;
mod withheld;
