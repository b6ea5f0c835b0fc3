//! Chromium, driven by its own driver: one process for all tests, and a session for each.

use std::io::{BufRead, BufReader, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::api::harness::client;
use crate::python::programs;
use ferry_testing::Wait;

/// axe-core, which finds what people cannot read or use; the newest that was seen to work.
const AXE: (&str, &str) = ("axe-playwright-python", "0.1.8");

/// A browser takes half a gigabyte, and most of a core while it starts.
static SLOTS: Semaphore = Semaphore::const_new(3);

/// The driver of the tests that run.
static DRIVER: Mutex<Weak<Driver>> = Mutex::new(Weak::new());

struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn shared() -> Arc<Self> {
        let mut shared = DRIVER.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let driver = Arc::new(Self::start());
            *shared = Arc::downgrade(&driver);
            driver
        })
    }

    /// A port that is free for IPv4 may be taken for IPv6: the driver ends then, and another one begins.
    fn start() -> Self {
        (0..3).find_map(|_| Self::try_start()).expect("chromedriver names its port")
    }

    fn try_start() -> Option<Self> {
        let hint = "chromedriver is needed; on Debian: apt-get install chromium chromium-driver";
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{hint}: {error}"));
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = ferry_testing::blocking_within("the port of chromedriver", move || {
            let port: Option<u16> = lines.find_map(|line| {
                let line = line.expect("it can be read");
                line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
            });
            // It is read to the end: a full pipe would stop the driver.
            std::thread::spawn(move || lines.for_each(drop));
            port
        });
        port.map(|port| Self { process, port })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser with a profile of its own, which ends when it is dropped.
pub(super) struct Browser {
    /// Never dropped: that would wait for the runtime of a test that has failed.
    pub(super) driver: ManuallyDrop<WebDriver>,
    port: u16,
    _folder: TempDir,
    _shared: Arc<Driver>,
    _slot: SemaphorePermit<'static>,
}

impl Browser {
    pub(super) async fn start() -> Self {
        let slot = SLOTS.acquire().await.expect("it is never closed");
        let (shared, folder) = (Driver::shared(), tempfile::tempdir().unwrap());
        let capabilities = capabilities(&folder);
        let url = format!("http://127.0.0.1:{}", shared.port);
        let client: Client = client();
        let builder = WebDriver::builder(url, capabilities).client(client);
        let driver = builder.connect().await.expect("Chromium starts");
        driver.set_script_timeout(Duration::from_secs(110)).await.unwrap();
        let (driver, port) = (ManuallyDrop::new(driver), shared.port);
        Self { driver, port, _folder: folder, _shared: shared, _slot: slot }
    }

    pub(super) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The first element that a selector finds, which is waited for.
    pub(super) async fn see(&self, by: By) -> WebElement {
        let wait = Wait::begin(by.to_string());
        loop {
            match self.driver.find(by.clone()).await {
                Ok(element) => return element,
                // A page that is just left has none.
                Err(error) => wait.pause_or(|| error.to_string()).await,
            }
        }
    }

    /// Clicks on the first element that a selector finds, as soon as it can be clicked on.
    pub(super) async fn click(&self, by: By) {
        let wait = Wait::begin(format!("a click on {by}"));
        while let Err(error) = self.see(by.clone()).await.click().await {
            wait.pause_or(|| error.to_string()).await;
        }
    }

    /// Clicks on what leads to another page, and waits until this one is left.
    pub(super) async fn follow(&self, by: By) {
        let page = self.see(By::Tag("html")).await;
        self.click(by.clone()).await;
        let wait = Wait::begin("another page");
        while page.is_present().await.unwrap_or(false) {
            wait.pause_or(|| format!("the click on {by} led nowhere")).await;
        }
    }

    /// The value of an expression of the page.
    pub(super) async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        let found = self.driver.execute(script, Vec::new()).await;
        found.unwrap_or_else(|error| panic!("{expression}: {error}")).json().clone()
    }

    /// Waits until an expression of the page is true.
    pub(super) async fn until(&self, expression: &str) {
        let wait = Wait::begin(expression);
        let script = format!("return [Boolean({expression}), document.body.innerText];");
        loop {
            // A page that is just left answers nothing.
            let found = self.driver.execute(script.as_str(), Vec::new()).await;
            let found = found.map(|found| found.json().clone()).unwrap_or_default();
            if found[0] == json!(true) {
                return;
            }
            wait.pause_or(|| found.to_string()).await;
        }
    }

    /// Calls the protocol of the browser's own tools.
    pub(super) async fn tool(&self, method: &str, parameters: Value) {
        self.driver.cdp().send_raw(method, parameters).await.expect(method);
    }

    /// Light or dark, as the system would say.
    pub(super) async fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tool("Emulation.setEmulatedMedia", features).await;
    }

    pub(super) async fn sized(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tool("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Sends keys to the element that has the focus.
    pub(super) async fn press(&self, keys: &str) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Findings of axe about the page, each with the element; the page's policy stays in force.
    pub(super) async fn findings(&self) -> Vec<String> {
        let script = axe() + "
            const done = arguments[arguments.length - 1];
            axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
                .then((found) => done(found.violations.flatMap((one) =>
                    one.nodes.map((node) => `${one.id}: ${node.html}: ${node.failureSummary}`))))
                .catch((error) => done([String(error)]));";
        let found = self.driver.execute_async(script, Vec::new()).await.expect("axe runs");
        found.convert().expect("a list of texts")
    }

    /// Messages of the browser about the pages since the last call.
    pub(super) async fn messages(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.expect("it has a log");
        log.into_iter().map(|entry| entry.message).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let ended = || -> std::io::Result<usize> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            let path = format!("/session/{}", self.driver.session_id());
            write!(stream, "DELETE {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            // The response begins when the browser has ended. The driver leaves the connection open.
            stream.read(&mut [0])
        };
        let _ = ended();
    }
}

fn capabilities(folder: &TempDir) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    let profile = format!("--user-data-dir={}", folder.path().display());
    let mut flags = vec![
        "--headless=new",
        // Containers have little shared memory.
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--force-prefers-reduced-motion",
        "--lang=en-US",
        &profile,
    ];
    if nix::unistd::geteuid().is_root() {
        flags.push("--no-sandbox");
    }
    for flag in flags {
        capabilities.add_arg(flag).unwrap();
    }
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
    capabilities
}

/// The text of axe-core, without the browsers that its package would install.
fn axe() -> String {
    let (package, version) = AXE;
    let folder = programs(&format!("{package}-{version}"), |folder| {
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--no-deps", &format!("{package}=={version}")]);
        vec![pip]
    });
    let python = std::fs::read_dir(folder.join("lib")).unwrap().next().expect("a Python").unwrap();
    let script = python.path().join("site-packages/axe_playwright_python/axe.min.js");
    std::fs::read_to_string(&script).unwrap_or_else(|error| panic!("{}: {error}", script.display()))
}
