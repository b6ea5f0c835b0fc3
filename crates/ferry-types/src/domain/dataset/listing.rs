//! Collects the problems of a text: each form once, and a bounded number of others. All are counted.

use super::report::{Kind, MAX_PROBLEMS, Problem, Report, Severity};

/// A name of a form, and whether it can be corrected.
pub(super) type FormKey = (&'static str, bool);

/// A report that is being written.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) report: Report,
    errors: usize,
    warnings: usize,
    /// The problem of each form, by its place in the report. There are few: a hash of a name costs more than
    /// a look at each.
    forms: Vec<(Kind, FormKey, usize)>,
}

impl Listing {
    pub(super) fn new(file: &str) -> Self {
        Self { report: Report::new(file), errors: 0, warnings: 0, forms: Vec::new() }
    }

    /// True if one more problem of this kind is listed. Otherwise it is counted here, so that the text of
    /// a problem that is not listed is never written.
    pub(super) fn has_room(&mut self, kind: Kind) -> bool {
        let has_room = *self.listed(kind) < MAX_PROBLEMS;
        if !has_room {
            self.report.count(kind.severity(), 1);
            self.report.omitted += 1;
        }
        has_room
    }

    /// Lists a problem for which there is room.
    pub(super) fn add(&mut self, problem: Problem) {
        *self.listed(problem.kind) += 1;
        self.report.count(problem.severity, problem.count);
        self.report.problems.push(problem);
    }

    /// Counts one more cell of a form that is listed; false if it is the first.
    pub(super) fn again(&mut self, kind: Kind, form: FormKey) -> bool {
        let Some(problem) = self.of_form(kind, form) else { return false };
        problem.count += 1;
        self.report.count(kind.severity(), 1);
        true
    }

    /// Lists the first cell of a form. There are few forms, so that there is always room.
    pub(super) fn first(&mut self, form: FormKey, problem: Problem) {
        self.forms.push((problem.kind, form, self.report.problems.len()));
        self.report.count(problem.severity, problem.count);
        self.report.problems.push(problem);
    }

    /// The problem of a form that is listed.
    pub(super) fn of_form(&mut self, kind: Kind, form: FormKey) -> Option<&mut Problem> {
        let is_it = |listed: &&(Kind, FormKey, usize)| listed.0 == kind && listed.1 == form;
        let (.., position) = self.forms.iter().find(is_it)?;
        self.report.problems.get_mut(*position)
    }

    /// Puts the problems into the order of their lines; no kind has two forms yet.
    pub(super) fn sort_by_line(&mut self) {
        let problems = &mut self.report.problems;
        problems.sort_by_key(|problem| problem.line);
        for (kind, _, at) in &mut self.forms {
            let found = problems.iter().position(|problem| problem.kind == *kind);
            *at = found.unwrap_or(*at);
        }
    }

    fn listed(&mut self, kind: Kind) -> &mut usize {
        match kind.severity() {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        }
    }
}
