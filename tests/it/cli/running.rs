//! A `ferry` that runs while a test does something else.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::harness::eventually;

/// A process, killed when the test is done with it.
pub(crate) struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
}

/// Output of a pipe so far.
struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ferry starts");
        let stdout = Collected::of(child.stdout.take().expect("it is piped"));
        let stderr = Collected::of(child.stderr.take().expect("it is piped"));
        Self { child, stdout, stderr }
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until stderr holds `text`.
    #[track_caller]
    pub(crate) fn await_stderr(&self, text: &str) {
        eventually(&format!("`{text}` on stderr"), || self.stderr().contains(text));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let line = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &line]).status().expect("sh runs");
        assert!(sent.success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the end of ferry", || {
            ended = self.child.try_wait().expect("it can be waited for");
            ended.is_some()
        });
        self.stdout.finish();
        self.stderr.finish();
        ended.expect("it ended")
    }

    /// True while it runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Collected {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = text.clone();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
                into.extend_from_slice(&buffer[..count]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("nothing panics here");
        }
    }
}
