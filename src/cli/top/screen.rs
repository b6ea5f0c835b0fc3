//! The terminal while `ferry top` has it: raw, on its alternate screen, and restored whatever ends it.

use std::io::{self, Stdout, stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

use crate::shutdown::Shutdown;

/// True while the terminal has to be restored: a second time would move the cursor back over what was
/// printed since.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal that is drawn on.
#[derive(Debug)]
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    /// Takes the terminal. A panic in any thread restores it before the panic is reported, and ends the
    /// process: what was drawn is gone.
    pub(super) fn enter(shutdown: Shutdown) -> io::Result<Self> {
        let screen = Self(Terminal::new(CrosstermBackend::new(stdout()))?);
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            shutdown.drain();
            restore();
            report(panic);
        }));
        TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        Ok(screen)
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set in the process that panics.
    const PANICS: &str = "FERRY_TEST_PANICS";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a variable marks the process that panics")]
    fn a_panic_in_any_thread_restores_the_terminal_before_it_is_reported() {
        if std::env::var_os(PANICS).is_some() {
            let shutdown = Shutdown::default();
            let _screen = Screen::enter(shutdown.clone()).unwrap();
            std::thread::spawn(|| panic!("torn")).join().unwrap_err();
            assert!(shutdown.is_draining());
            return;
        }
        let own = std::env::current_exe().unwrap();
        let name = std::thread::current().name().unwrap().to_owned();
        let line = format!("'{}' --exact {name} --nocapture; stty -a", own.display());
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env(PANICS, "1").env("TERM", "xterm");
        let output = script.stdin(std::process::Stdio::null()).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let at = |what: &str| shown.find(what).unwrap_or_else(|| panic!("no {what:?}: {shown:?}"));
        let (entered, left) = (at("\u{1b}[?1049h"), at("\u{1b}[?1049l"));
        assert!(entered < left && left < at("torn"), "{shown:?}");
        assert_eq!(shown.matches("\u{1b}[?1049l").count(), 1, "{shown:?}");
        assert!(at("\u{1b}[?25h") < at("torn"), "{shown:?}");
        assert!(shown.contains(" icanon") && shown.contains(" echo "), "{shown:?}");
        assert!(shown.contains("test result: ok. 1 passed"), "{shown:?}");
    }
}
