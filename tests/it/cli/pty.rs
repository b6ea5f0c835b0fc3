//! A `ferry` on a terminal of its own: keys go in, and the screen is what an emulator makes of the output.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use ferry_testing::{Wait, end_of};

/// A terminal with a process on it, which is killed when the test is done with it.
pub(crate) struct Pty {
    child: Child,
    /// The end that a person has.
    keyboard: File,
    /// The end that the process has.
    line: File,
    before: Termios,
    output: Arc<Mutex<Output>>,
}

struct Output {
    bytes: Vec<u8>,
    screen: vt100::Parser,
}

impl Pty {
    /// Runs a command on a new terminal of so many rows and columns, which it controls.
    pub(crate) fn start(command: &Command, rows: u16, columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let controller = controller.expect("a terminal");
        grantpt(&controller).and_then(|()| unlockpt(&controller)).expect("it can be used");
        let name = ptsname(&controller, Vec::new()).expect("it has a name");
        let path = PathBuf::from(std::ffi::OsString::from_vec(name.into_bytes()));
        resize(&controller, rows, columns);
        let line = File::options().read(true).write(true).open(path).expect("its other end");
        let before = tcgetattr(&line).expect("it is a terminal");
        let end = || Stdio::from(line.try_clone().expect("a file"));
        // Makes the terminal that of the process, so that it learns of a new size.
        let mut owner = Command::new("setsid");
        owner.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            owner.env(name, value.expect("none is removed"));
        }
        owner.current_dir(command.get_current_dir().expect("it has a folder"));
        owner.env("TERM", "xterm-256color");
        let child = owner.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
        let keyboard = File::from(controller);
        let screen = vt100::Parser::new(cells(rows), cells(columns), 0);
        let output = Arc::new(Mutex::new(Output { bytes: Vec::new(), screen }));
        read(keyboard.try_clone().expect("a file"), output.clone());
        Self { child, keyboard, line, before, output }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes them");
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.output().screen.screen_mut().set_size(cells(rows), cells(columns));
        resize(&self.keyboard, rows, columns);
    }

    /// The text on the screen.
    pub(crate) fn screen(&self) -> String {
        self.output().screen.screen().contents()
    }

    /// All that was written to the terminal.
    pub(crate) fn written(&self) -> String {
        String::from_utf8(self.output().bytes.clone()).expect("it is UTF-8")
    }

    /// Waits until the screen shows all of these texts; returns the screen that does.
    #[track_caller]
    pub(crate) fn shows(&self, texts: &[&str]) -> String {
        self.until(&format!("{texts:?}"), |screen| texts.iter().all(|text| screen.contains(text)))
    }

    /// Waits until the screen is as `condition` wants it.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let wait = Wait::begin(format!("{what} on the screen"));
        loop {
            let screen = self.screen();
            if condition(&screen) {
                return screen;
            }
            wait.pause_blocking_or(|| screen);
        }
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the process, which leaves the terminal as it was; returns what it shows.
    #[track_caller]
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let status = end_of("the end of the process on the terminal", &mut self.child);
        let after = tcgetattr(&self.line).expect("it is a terminal");
        let modes = |termios: &Termios| {
            let Termios { input_modes, output_modes, control_modes, local_modes, .. } = termios;
            (*input_modes, *output_modes, *control_modes, *local_modes)
        };
        assert_eq!(modes(&after), modes(&self.before), "the terminal was not restored");
        // A mark that follows all that the process wrote.
        self.line.write_all(b"ENDED").expect("the terminal takes it");
        let shown = self.shows(&["ENDED"]);
        let output = self.output();
        let screen = output.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{shown}");
        drop(output);
        (status, shown)
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("some")
}

fn resize(terminal: impl std::os::fd::AsFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("it takes the size");
}

/// Reads until the last process has closed the terminal.
fn read(mut from: File, into: Arc<Mutex<Output>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
            into.bytes.extend_from_slice(&buffer[..count]);
            into.screen.process(&buffer[..count]);
        }
    });
}
