//! Many processes that write to one file.

#![allow(clippy::unwrap_used, clippy::panic)]

mod writer_common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use writer_common::{add, child_task, finish, names, open, options, spawn_self, wait_until};

const PROCESSES: usize = 6;
const SECONDS: u64 = 2;

/// Writes for a while and leaves behind how often it succeeded and its longest wait in microseconds.
fn write_for_a_while(folder: &Path, number: usize) {
    fs::write(folder.join(format!("ready-{number}")), b"").unwrap();
    wait_until("the start", || folder.join("go").exists());
    // All of them create the file, too.
    let writer = open(&folder.join("test.db"), &options()).unwrap();
    let began = Instant::now();
    let (mut written, mut longest) = (0, Duration::ZERO);
    while began.elapsed() < Duration::from_secs(SECONDS) {
        let before = Instant::now();
        let name = format!("{number}-{written}");
        writer.run(move |connection, count| add(connection, count, &name)).unwrap();
        longest = longest.max(before.elapsed());
        written += 1;
    }
    let report = format!("{written} {}", longest.as_micros());
    fs::write(folder.join(format!("report-{number}")), report).unwrap();
}

fn report(folder: &Path, number: usize) -> (usize, u64) {
    let report = fs::read_to_string(folder.join(format!("report-{number}"))).unwrap();
    let (written, longest) = report.split_once(' ').unwrap();
    (written.parse().unwrap(), longest.parse().unwrap())
}

#[test]
fn no_process_loses_a_write_or_starves() {
    if let Some((folder, number)) = child_task() {
        return write_for_a_while(&folder, number);
    }
    let folder = TempDir::new().unwrap();
    let name = "no_process_loses_a_write_or_starves";
    let children: Vec<_> = (0..PROCESSES).map(|n| spawn_self(name, folder.path(), n)).collect();
    wait_until("readiness", || (0..PROCESSES).all(|number| folder.path().join(format!("ready-{number}")).exists()));
    fs::write(folder.path().join("go"), b"").unwrap();
    for child in children {
        assert!(finish(child).success());
    }
    let reports: Vec<(usize, u64)> = (0..PROCESSES).map(|number| report(folder.path(), number)).collect();
    let expected: BTreeSet<String> = reports
        .iter()
        .enumerate()
        .flat_map(|(number, (written, _))| (0..*written).map(move |n| format!("{number}-{n}")))
        .collect();
    let found = names(&folder.path().join("test.db"));
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    let slowest = reports.iter().map(|report| report.0).min().unwrap();
    let longest = reports.iter().map(|report| report.1).max().unwrap();
    println!("{reports:?}, longest wait {} ms", longest / 1000);
    assert!(slowest * PROCESSES * 3 >= expected.len(), "{reports:?}");
}

#[test]
fn a_killed_process_leaves_all_that_it_acknowledged() {
    if let Some((folder, _)) = child_task() {
        let writer = open(&folder.join("test.db"), &options()).unwrap();
        for number in 0.. {
            let name = format!("{number:06}");
            writer.run(move |connection, count| add(connection, count, &name)).unwrap();
            fs::write(folder.join("acknowledged"), number.to_string()).unwrap();
        }
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    for round in 0..5 {
        let acknowledged = folder.path().join("acknowledged");
        let _ = fs::remove_file(&acknowledged);
        let _ = fs::remove_file(&path);
        let mut child = spawn_self("a_killed_process_leaves_all_that_it_acknowledged", folder.path(), 0);
        let last = || fs::read_to_string(&acknowledged).ok()?.parse::<usize>().ok();
        wait_until("writes", || last().is_some_and(|last| last > 20 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = last().unwrap_or(20 * round) + 1;
        let found = names(&path);
        assert!(found.len() >= expected, "{} of {expected}", found.len());
        let prefix: Vec<String> = (0..found.len()).map(|number| format!("{number:06}")).collect();
        assert_eq!(found, prefix);
    }
}
