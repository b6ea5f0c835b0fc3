//! Random operations of a store.

use ferry_types::domain::submission::StepKind;
use proptest::prelude::*;

/// An operation.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Accept {
        account: u8,
        name: u8,
    },
    Claim {
        kind: StepKind,
        limit: usize,
    },
    /// A worker commits a claim, perhaps an old one.
    Commit {
        claim: prop::sample::Index,
        outcome: u8,
        after: u64,
    },
    Release {
        claim: prop::sample::Index,
    },
    Renew {
        claim: prop::sample::Index,
    },
    Advance {
        duration: u64,
    },
    Rescue,
    Cancel {
        one: prop::sample::Index,
    },
    Retry {
        one: prop::sample::Index,
    },
    Resolve {
        one: prop::sample::Index,
        how: u8,
    },
    Sweep,
    Pause {
        account: u8,
    },
    Resume {
        account: u8,
    },
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    use prop::sample::Index;
    let any_index = any::<Index>;
    let kind = prop::sample::select(StepKind::PLATFORM_KINDS.to_vec());
    prop_oneof![
        4 => (0..2_u8, 0..2_u8).prop_map(|(account, name)| Op::Accept { account, name }),
        8 => (kind, 0..4_usize).prop_map(|(kind, limit)| Op::Claim { kind, limit }),
        8 => (any_index(), 0..7_u8, 0..2_u64).prop_map(|(claim, outcome, after)| {
            Op::Commit { claim, outcome, after: after * 2000 }
        }),
        1 => any_index().prop_map(|claim| Op::Release { claim }),
        1 => any_index().prop_map(|claim| Op::Renew { claim }),
        3 => (0..20_000_u64).prop_map(|duration| Op::Advance { duration }),
        2 => Just(Op::Rescue),
        1 => any_index().prop_map(|one| Op::Cancel { one }),
        2 => any_index().prop_map(|one| Op::Retry { one }),
        2 => (any_index(), 0..3_u8).prop_map(|(one, how)| Op::Resolve { one, how }),
        1 => Just(Op::Sweep),
        1 => (0..2_u8).prop_map(|account| Op::Pause { account }),
        2 => (0..2_u8).prop_map(|account| Op::Resume { account }),
    ]
}
