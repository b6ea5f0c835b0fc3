//! Files of tests.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

/// Makes a file as old as every other file that this was called for.
pub fn make_old(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
}
