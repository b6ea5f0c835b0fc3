//! Every history of a small scope over the pure lifecycle alone: submissions of one name, workers, and a number of
//! faults, in every order. It knows the methods of `Submission` and the decisions, and no code of a worker or store.

mod acts;
mod scope;
mod world;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use acts::Act;
use scope::{Forgotten, Scope};
use world::World;

/// The worlds and acts of a search.
#[derive(Default)]
struct Search {
    worlds: HashSet<u64>,
    acts: Vec<Act>,
}

impl Search {
    /// Continues in every way; an error is the story that breaks an invariant.
    fn continues(&mut self, world: &World) -> Result<(), String> {
        if !self.worlds.insert(identity(world)) {
            return Ok(());
        }
        let acts = world.possible();
        if acts.is_empty() {
            return world.at_end().map_err(|what| self.story(&what));
        }
        for act in acts {
            self.acts.push(act);
            let mut next = world.clone();
            next.perform(act).map_err(|what| self.story(&what))?;
            self.continues(&next)?;
            self.acts.pop();
        }
        Ok(())
    }

    fn story(&self, what: &str) -> String {
        format!("{:?}\n{what}", self.acts)
    }
}

/// Worlds with the same one have the same future.
fn identity(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{world:?}").hash(&mut hasher);
    hasher.finish()
}

/// The number of worlds of a scope, or the story that breaks an invariant.
fn search(scope: Scope) -> Result<usize, String> {
    let mut search = Search::default();
    search.continues(&World::new(scope))?;
    Ok(search.worlds.len())
}

/// All scopes of this size: with and without permission to overwrite, and by policy.
fn holds(submissions: usize, workers: usize, faults: usize) {
    for scope in Scope::all(submissions, workers, faults) {
        let worlds = search(scope).unwrap_or_else(|story| panic!("{story}\n{scope:?}"));
        assert!(worlds > 100, "{scope:?} has only {worlds} worlds");
    }
}

#[test]
fn no_three_faults_break_an_invariant_of_one_submission() {
    holds(1, 2, 3);
}

/// `FAULTS=3` searches three faults, which takes minutes.
#[test]
fn no_two_faults_break_an_invariant_of_two_submissions_of_a_name() {
    #[expect(clippy::disallowed_methods, reason = "the size of a search that a person wants")]
    let faults = std::env::var("FAULTS").ok().map(|faults| faults.parse().expect("a number"));
    holds(2, 2, faults.unwrap_or(2));
}

#[test]
fn a_search_finds_each_rule_that_is_forgotten() {
    for (forgotten, submissions, faults, what) in [
        (Forgotten::Ambiguity, 1, 1, "was stored under an earlier claim"),
        (Forgotten::Mark, 2, 2, "whose outcome is unknown"),
        (Forgotten::Late, 2, 2, "takes effect after one of a later submission has left"),
        (Forgotten::Order, 2, 0, "is not final"),
    ] {
        let scopes = Scope::all(submissions, 2, faults).into_iter();
        let mut scopes = scopes.map(|scope| Scope { forgotten: Some(forgotten), ..scope });
        let story = scopes.find_map(|scope| search(scope).err());
        let story = story.unwrap_or_else(|| panic!("nothing breaks without {forgotten:?}"));
        assert!(story.contains(what), "{story}");
    }
}
