//! The client of the Platform over real HTTP, against the simulator.
