//! The command line: one file for each command, and what they share.

mod accept_batch;
mod audit;
mod audited;
mod bulk;
mod cancel;
mod complete;
mod completions;
mod config;
mod data;
mod demo;
mod doctor;
mod each;
mod error;
mod feedback;
mod files;
mod filters;
mod follow;
mod global;
mod intake;
mod keys;
mod line;
mod list;
mod man;
mod ndjson;
mod pause;
mod progress;
mod refetch;
mod rehearse;
mod resolve;
mod resubmit;
mod results;
mod retry;
mod selected;
mod serve;
mod show;
mod signals;
mod simulate;
mod stats;
mod status;
mod submit;
mod target;
mod top;
mod ui;
mod validate;
mod values;
mod version;
mod wait;
mod watch;
mod webhooks;
mod worker;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::env::CompleteEnv;

use error::{CliError, Exit};
use global::{Global, configure, open, open_existing};
use line::Line;
use ui::Ui;

use ferry_types::domain::escape;

/// Uploads CSV datasets to the Platform's Upload API and fetches the results.
#[derive(Debug, Parser)]
#[command(name = "ferry", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Begin with:
  ferry demo                                run datasets against a simulated Platform
  ferry validate march.csv                  check a dataset; nothing is sent
  ferry submit march.csv --wait             upload it and wait for the result
  ferry status ID                           where a submission is, and why

Credentials come from the environment: FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID,
FERRY_CLIENT_SECRET and FERRY_API_KEY; the last two also as ..._FILE. `ferry doctor` checks them.

Exit codes: 0 done (with --wait: completed); 1 unexpected failure, or failed; 2 usage or
configuration; 3 the dataset is invalid, nothing was sent; 4 the Platform rejected it; 5 still
pending at the --wait limit; 6 held, a person must decide.";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Keys(keys::Keys),
    Audit(audit::AuditCommand),
    Worker(worker::Worker),
    Submit(submit::Submit),
    Validate(validate::Validate),
    Status(status::Status),
    List(list::List),
    Watch(watch::Watch),
    Data(data::Data),
    Results(results::Results),
    Feedback(feedback::Feedback),
    Resubmit(resubmit::Resubmit),
    Retry(retry::Retry),
    Refetch(refetch::Refetch),
    Cancel(cancel::Cancel),
    Resolve(resolve::Resolve),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Webhooks(webhooks::Webhooks),
    Stats(stats::Stats),
    Top(top::Top),
    Intake(intake::Intake),
    Doctor(doctor::Doctor),
    Config(config::ConfigCommand),
    Simulate(simulate::Simulate),
    Rehearse(rehearse::Rehearse),
    Completions(completions::Completions),
    Man(man::Man),
    Version(version::Version),
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    report_panics();
    let completing = CompleteEnv::with_factory(Cli::command).var(completions::VARIABLE);
    match completing.try_complete(std::env::args_os(), None) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return misused(&error),
    }
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let ui = Ui::of_process(cli.global.json, cli.global.quiet);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ran = runtime
        .map_err(|error| CliError::from(anyhow::Error::new(error).context("cannot start")))
        .and_then(|runtime| {
            let ran = runtime.block_on(run(cli, &ui));
            // Nothing is waited for: what had to be recorded is, and a read of stdin may never end.
            runtime.shutdown_background();
            ran
        });
    match ran {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(&ui),
    }
}

/// Parses the command line. An error quotes it, and so is that of the escaped one.
fn parse() -> Result<Cli, clap::Error> {
    let quoted = || std::env::args_os().map(|argument| escape(&argument.to_string_lossy()));
    Cli::try_parse().map_err(|error| {
        let escaped = Cli::try_parse_from(quoted()).err();
        escaped.unwrap_or_else(|| Cli::command().error(error.kind(), "unreadable arguments"))
    })
}

/// True if the arguments want JSON, also where they cannot be parsed.
fn wants_json() -> bool {
    let arguments = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    arguments.into_iter().any(|argument| argument == "--json")
}

/// Prints what is wrong with the arguments, or the help that they want.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !wants_json() {
        error.exit();
    }
    let text = error.render().to_string();
    let what = text.split("\n\n").next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what).trim();
    let failure = CliError::usage(what.to_owned());
    failure.hint("see the arguments: `ferry help`").report(&Ui::of_process(true, false))
}

/// Prints panics as every error is printed: they may quote foreign text.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let ui = Ui::of_process(wants_json(), false);
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").to_owned();
        ui.error(format!("a bug in Ferry, in the thread `{name}`: {panic}"));
        let backtrace = std::backtrace::Backtrace::capture();
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            for line in Line::several(&backtrace) {
                ui.print_note(line);
            }
        }
    }));
}

async fn run(cli: Cli, ui: &Ui) -> Result<Exit, CliError> {
    let global = cli.global;
    match cli.command {
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(Cli::command()),
        Command::Version(_) => version::Version::run(ui),
        Command::Config(command) => command.run(&global, ui),
        Command::Demo(command) => Box::pin(command.run(&global, ui)).await,
        Command::Doctor(command) => command.run(&global, ui).await,
        Command::Simulate(command) => command.run(&global, ui).await,
        Command::Rehearse(command) => command.run(&global, ui).await,
        Command::Validate(command) => command.run(ui),
        Command::Keys(command) => command.run(&configure(&global)?, ui).await,
        Command::Audit(command) => command.run(&configure(&global)?, ui),
        Command::Serve(command) => command.run(open(&global, ui, "info")?, ui).await,
        Command::Worker(command) => command.run(open(&global, ui, "info")?, ui).await,
        Command::Submit(command) => Box::pin(command.run(open(&global, ui, "warn")?, ui)).await,
        Command::Resubmit(command) => Box::pin(command.run(open_existing(&global, ui)?, ui)).await,
        Command::Pause(command) => command.run(open(&global, ui, "warn")?, ui).await,
        Command::Status(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::List(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Watch(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Data(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Results(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Feedback(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Retry(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Refetch(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Cancel(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Resolve(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Webhooks(command) => command.run(&global, ui).await,
        Command::Resume(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Stats(command) => command.run(open_existing(&global, ui)?, ui).await,
        Command::Top(command) => command.run(&global, ui).await,
        Command::Intake(command) => command.run(open_existing(&global, ui)?, ui).await,
    }
}

#[cfg(test)]
mod shown_commands;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of a help text that begins with `ferry` as a shell would take it apart, without
    /// what is a remark, a pipe or a redirection.
    fn examples(command: &clap::Command) -> Vec<Vec<String>> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().map(str::trim).filter(|line| line.starts_with("ferry "));
        lines
            .map(|line| {
                let call = line.split("  ").next().unwrap_or(line);
                let call = call.split(['|', '>']).next().unwrap_or(call);
                let word = |word: &str| match word {
                    "ID" => "01KDXB8W4S9ZT2M3Q5R7V1C6HY".to_owned(),
                    word => word.to_owned(),
                };
                call.split_whitespace().map(word).collect()
            })
            .collect()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_is_described() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let id = argument.get_id();
                assert!(argument.get_help().is_some(), "{} {id}", command.get_name());
            }
        }
    }

    /// Longer lines are broken within a sentence, or within a command that people paste.
    #[test]
    fn the_remarks_in_the_help_fit_its_width() {
        fn check(command: &clap::Command) {
            for help in [command.get_after_help(), command.get_after_long_help()] {
                for line in help.map(ToString::to_string).unwrap_or_default().lines() {
                    assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn the_examples_in_the_help_can_be_called() {
        let cli = Cli::command();
        let all = std::iter::once(&cli).chain(cli.get_subcommands());
        let examples: Vec<Vec<String>> = all.flat_map(examples).collect();
        assert!(examples.len() > 25, "{}", examples.len());
        for example in examples {
            if let Err(error) = Cli::try_parse_from(&example) {
                panic!("{}: {error}", example.join(" "));
            }
        }
    }
}
