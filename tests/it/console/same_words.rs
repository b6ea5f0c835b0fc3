//! A page and the command line say the same of the same submission.

use super::harness::Tab;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform, REJECTED};

#[test]
fn a_page_and_the_command_line_say_the_same_of_a_submission() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("good.csv", GOOD).file("rejected.csv", REJECTED);
    let server = serve(&ferry, &[]);
    let tab = Tab::at(url(&server));
    let completed = ferry.run(&["submit", "good.csv", "--name", "a"]).ok().id();
    let rejected = ferry.run(&["submit", "rejected.csv", "--name", "b"]).ok().id();
    ferry.await_state(&completed, "completed");
    ferry.await_state(&rejected, "rejected");
    ferry.run(&["pause", "default", "--reason", "moving house"]).ok();
    let waiting = ferry.run(&["submit", "good.csv", "--name", "c"]).ok().id();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for id in [completed, rejected, waiting] {
        let page = runtime.block_on(tab.get(&format!("/console/submissions/{id}")));
        let text = ferry.run(&["status", &id]).ok().stdout;
        let mut lines = text.lines().skip_while(|line| !line.starts_with("  state"));
        let remark = lines.nth(1).expect("a remark").trim();
        assert!(page.says(&remark.replace('`', "")), "{remark}: {}", page.text);
        let next = text.lines().find_map(|line| line.strip_prefix("  next"));
        if let Some(next) = next {
            assert!(page.says(&next.trim().replace('`', "")), "{next}: {}", page.text);
        }
    }
    let overview = runtime.block_on(tab.get("/console"));
    let stats = ferry.run(&["stats"]).ok().stdout;
    let blocked = stats.lines().last().expect("a line").trim();
    assert!(blocked.contains("moving house"), "{stats}");
    assert!(overview.says(&blocked.replace('`', "")), "{blocked}: {}", overview.text);
}
