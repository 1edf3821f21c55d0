//! `cargo run -p chrysalis-sim -- --seeds 20`: runs scenarios under seeds, a line for each, and fails if one does.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrysalis_sim::plan::{SCENARIOS, Scenario};
use chrysalis_sim::report::simulate;

const HELP: &str = "\
Simulates clusters with faults and hostile members, and checks what must hold.

  --seeds N        runs so many seeds (20), each with the next scenario
  --first N        the first seed (1)
  --seed N         runs this seed alone
  --scenario NAME  runs this scenario alone
  --minutes M      goes on for so long, whatever the number of seeds
  --tell           tells all that happens
  --list           lists the scenarios
";

struct Wanted {
    first: u64,
    seeds: u64,
    scenario: Option<Scenario>,
    until: Option<Instant>,
    tells: bool,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Wanted>, String> {
    let mut wanted = Wanted { first: 1, seeds: 20, scenario: None, until: None, tells: false };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
        match argument.as_str() {
            "--seeds" => wanted.seeds = number(value()?)?,
            "--first" => wanted.first = number(value()?)?,
            "--seed" => (wanted.first, wanted.seeds) = (number(value()?)?, 1),
            "--minutes" => wanted.until = Some(Instant::now() + Duration::from_secs(60 * number(value()?)?)),
            "--scenario" => {
                let name = value()?;
                wanted.scenario = Some(Scenario::named(&name).ok_or(format!("there is no scenario {name:?}"))?);
            }
            "--tell" => wanted.tells = true,
            "--list" => {
                SCENARIOS.iter().for_each(|one| println!("{:12} {}", one.name, one.about));
                return Ok(None);
            }
            _ => return Err(format!("{argument:?} is no option\n\n{HELP}")),
        }
    }
    Ok(Some(wanted))
}

/// Runs what is wanted; says how many runs failed.
fn run(wanted: &Wanted) -> u64 {
    let (began, mut runs, mut failed) = (Instant::now(), 0, 0);
    let goes_on = |runs: u64| wanted.until.map_or(runs < wanted.seeds, |until| Instant::now() < until);
    while goes_on(runs) {
        let seed = wanted.first + runs;
        let scenario = wanted.scenario.unwrap_or(SCENARIOS[seed as usize % SCENARIOS.len()]);
        let report = simulate(&scenario, seed, wanted.tells);
        report.story.iter().for_each(|line| println!("{line}"));
        println!("{report}");
        runs += 1;
        failed += u64::from(!report.holds());
    }
    println!("{runs} runs, {failed} failed, {:.1} s", began.elapsed().as_secs_f64());
    failed
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Err(what) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(wanted)) => ExitCode::from(u8::from(run(&wanted) > 0)),
    }
}
