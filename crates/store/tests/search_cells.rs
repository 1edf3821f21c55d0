//! Many vectors in cells: the same answers as without, whatever is put, forgotten, damaged or killed meanwhile.

#![allow(clippy::unwrap_used, clippy::panic)]

mod search_ground;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chrysalis_store::StoreError;
use chrysalis_store::search::best::VectorHit;
use chrysalis_store::search::cells::build::{Outcome, Watch, build};
use chrysalis_store::search::filter::Filter;
use chrysalis_store::search::matrix::Matrix;
use chrysalis_store::search::vector::{self, NewVector};
use chrysalis_store::search::{Number, StoreMark, nearest};
use proptest::prelude::*;
use rusqlite::Connection;
use search_ground::{Dice, Ground, MARK, Said, said};

const DIMENSIONS: usize = 24;
const TIME_MAX: Duration = Duration::from_secs(60);

/// A ground with memories, their vectors, and a file of cells as soon as `write_cells` says so.
struct World {
    ground: Ground,
    vectors: Connection,
}

impl World {
    fn new(memories: usize) -> Self {
        Self::saying((0..memories).map(|at| said(&format!("note {at}"))))
    }

    fn saying(all: impl IntoIterator<Item = Said>) -> Self {
        let ground = Ground::new();
        ground.remember_all(all);
        let vectors = vector::open(&ground.path("vectors.db"), MARK, None).unwrap();
        let mut world = Self { ground, vectors };
        world.embed();
        world
    }

    /// Puts the vectors that are missing: every seventh memory has three passages.
    fn embed(&mut self) {
        let pending = vector::pending(&self.ground.connection, &self.vectors, "m", usize::MAX).unwrap();
        let new = |memory: &vector::Pending| {
            let passages = if memory.number % 7 == 0 { 3 } else { 1 };
            let content = memory.texts.concat();
            let passages = (0..passages).map(|passage| direction(&format!("{content} {passage}"))).collect();
            NewVector { number: memory.number, digest: memory.digest, passages }
        };
        for some in pending.chunks(2_000) {
            let new: Vec<NewVector> = some.iter().map(new).collect();
            vector::put(&self.ground.connection, &mut self.vectors, "m", &new).unwrap();
        }
    }

    fn write_cells(&self) -> Outcome {
        build(&self.ground.path("vectors.db"), "m", 4, &Watch::default()).unwrap()
    }

    fn forget(&mut self, numbers: &[Number]) {
        numbers.iter().for_each(|number| self.ground.remove(*number));
        vector::erase(&self.ground.connection, &mut self.vectors, numbers).unwrap();
    }

    fn matrix(&mut self) -> Matrix {
        let matrix = Matrix::new("m");
        matrix.catch_up(&mut self.vectors).unwrap();
        matrix
    }

    /// What a comparison with each vector would give, read by another store's eyes: without files of cells.
    fn exact(&self) -> Matrix {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("vectors.db");
        self.vectors.execute("VACUUM main INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let matrix = Matrix::new("m");
        matrix.catch_up(&mut Connection::open(copy).unwrap()).unwrap();
        assert_eq!(matrix.in_file(), 0);
        matrix
    }

    fn files(&self) -> Vec<PathBuf> {
        cell_files(self.ground.folder.path())
    }
}

fn cell_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.to_string_lossy().contains(".cells")).collect();
    paths.sort();
    paths
}

/// The same content has the same direction, seeded by its bytes.
fn direction(content: &str) -> Vec<f32> {
    let seed = content
        .bytes()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut dice = Dice(seed | 1);
    (0..DIMENSIONS).map(|_| dice.below(2_001) as f32 / 1_000.0 - 1.0).collect()
}

/// The bytes in which a vector is kept.
fn kept(content: &str) -> Vec<u8> {
    let values = direction(content);
    let greatest = values.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs()));
    values.iter().map(|value| (value / greatest * 127.0).round() as i8 as u8).collect()
}

/// The files of a folder that hold the vector of `content`.
fn files_with(folder: &Path, content: &str) -> Vec<String> {
    let wanted = kept(content);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| fs::read(path).unwrap().windows(wanted.len()).any(|window| window == wanted);
    let mut names: Vec<_> =
        paths.filter(holds).map(|path| path.extension().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn queries() -> impl Iterator<Item = Vec<f32>> {
    (0..5).map(|at| direction(&format!("question {at}")))
}

fn assert_same(one: &Matrix, other: &Matrix, allowed: &[Number]) {
    assert_eq!(one.len(), other.len());
    for query in queries() {
        assert_eq!(one.search(&query, None, 20).unwrap(), other.search(&query, None, 20).unwrap());
        let among = |matrix: &Matrix| matrix.search(&query, Some(allowed), 20).unwrap();
        assert_eq!(among(one), among(other));
        assert_eq!(one.cosines(&query, allowed).unwrap(), other.cosines(&query, allowed).unwrap());
    }
}

#[test]
fn cells_answer_as_comparing_each_vector_does() {
    let mut world = World::new(1_500);
    assert_eq!(world.write_cells(), Outcome::Built);
    assert_eq!(world.write_cells(), Outcome::NotDue);
    let matrix = world.matrix();
    assert_eq!(matrix.in_file(), vector::in_cells(&world.vectors, "m").unwrap().1);
    assert_same(&matrix, &world.exact(), &[1, 5, 7, 14, 700, 1_500, 9_999]);
}

#[test]
fn what_is_put_replaced_and_forgotten_later_counts_at_once() {
    let mut world = World::new(1_000);
    world.write_cells();
    let open = world.matrix();
    world.ground.remember_all((0..30).map(|at| said(&format!("later {at}"))));
    world.ground.update(7, &said("another thought"));
    world.ground.update(8, &said("yet another"));
    world.embed();
    world.forget(&[14, 15, 1_003]);
    vector::erase(&world.ground.connection, &mut world.vectors, &[7]).unwrap();
    open.catch_up(&mut world.vectors).unwrap();
    let all: Vec<Number> = (1..=1_030).collect();
    for matrix in [&open, &world.matrix()] {
        assert!(matrix.in_file() > 0);
        assert_same(matrix, &world.exact(), &all);
    }
}

#[test]
fn a_file_is_written_anew_when_much_has_changed_and_those_who_hold_the_old_one_go_over() {
    let mut world = World::new(600);
    world.write_cells();
    let open = world.matrix();
    let before = world.files();
    world.forget(&(1..200).collect::<Vec<_>>());
    world.ground.remember_all((0..100).map(|at| said(&format!("later {at}"))));
    world.embed();
    assert_eq!(world.write_cells(), Outcome::Built);
    let after = world.files();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    open.catch_up(&mut world.vectors).unwrap();
    assert_eq!(open.in_file(), world.matrix().in_file());
    assert_same(&open, &world.exact(), &[300, 301, 650]);
}

#[test]
fn forgotten_vectors_leave_every_file_and_the_others_stay() {
    let mut world = World::new(800);
    world.write_cells();
    let folder = world.ground.folder.path().to_owned();
    assert_eq!(files_with(&folder, "note 13 2"), ["cells", "db-wal"]);
    world.forget(&[14]);
    world.ground.update(20, &said("replaced"));
    world.embed();
    assert!(!files_with(&folder, "note 19 0").contains(&"cells".to_owned()));
    vector::erase(&world.ground.connection, &mut world.vectors, &[20]).unwrap();
    for content in ["note 13 0", "note 13 1", "note 13 2", "note 19 0"] {
        assert_eq!(files_with(&folder, content), Vec::<String>::new(), "{content}");
    }
    assert_eq!(files_with(&folder, "note 14 0"), ["cells", "db"]);
    assert_eq!(files_with(&folder, "replaced 0"), ["db"]);
    assert!(world.matrix().in_file() > 0);
}

#[test]
fn forgetting_twice_keeps_what_was_put_in_between() {
    let mut world = World::new(300);
    world.ground.update(5, &said("a new thought"));
    world.embed();
    world.write_cells();
    vector::erase(&world.ground.connection, &mut world.vectors, &[5]).unwrap();
    let hits = world.matrix().search(&direction("a new thought 0"), None, 1).unwrap();
    assert_eq!(hits[0].number, 5);
    assert_same(&world.matrix(), &world.exact(), &[5]);
}

#[test]
fn what_is_forgotten_while_a_file_is_written_is_not_in_it() {
    let mut world = World::new(3_000);
    let path = world.ground.path("vectors.db");
    let gone: Vec<Number> = (1..=3_000).step_by(61).collect();
    thread::scope(|scope| {
        let writing = scope.spawn(|| build(&path, "m", 4, &Watch::default()).unwrap());
        gone.iter().for_each(|number| world.forget(&[*number]));
        assert_eq!(writing.join().unwrap(), Outcome::Built);
    });
    for number in &gone {
        let content = format!("note {} 0", number - 1);
        assert_eq!(files_with(world.ground.folder.path(), &content), Vec::<String>::new(), "{content}");
    }
    assert_same(&world.matrix(), &world.exact(), &[1, 2, 62, 63, 2_999]);
}

#[test]
fn a_dropped_model_and_an_emptied_store_of_vectors_leave_no_file_behind() {
    let mut world = World::new(300);
    world.write_cells();
    let open = world.matrix();
    vector::drop_model(&mut world.vectors, "m").unwrap();
    assert_eq!(world.files(), Vec::<PathBuf>::new());
    open.catch_up(&mut world.vectors).unwrap();
    assert_eq!((open.len(), open.in_file()), (0, 0));

    world.embed();
    world.write_cells();
    vector::reset(&mut world.vectors, MARK).unwrap();
    assert_eq!(world.files(), Vec::<PathBuf>::new());
    assert_eq!(world.write_cells(), Outcome::NotDue);
}

#[test]
fn another_number_of_dimensions_is_refused_with_a_file_too() {
    let mut world = World::new(300);
    world.write_cells();
    assert!(matches!(world.matrix().search(&[1.0; 5], None, 1), Err(StoreError::Invalid(_))));
    assert!(world.matrix().in_file() > 0);
}

#[test]
fn a_filter_of_any_selectivity_gives_all_that_is_asked_for() {
    const STEPS: [usize; 6] = [1, 2, 10, 100, 1_000, 3_000];
    let memory = |at: usize| {
        let mut memory = said(&format!("note {at}"));
        memory.tags = STEPS.iter().filter(|step| at.is_multiple_of(**step)).map(|step| format!("t{step}")).collect();
        memory.importance = (at % 1_000) as u16;
        memory
    };
    let mut world = World::saying((0..3_000).map(memory));
    world.write_cells();
    let (matrix, exact) = (world.matrix(), world.exact());
    let reader = world.ground.reader();
    let find =
        |matrix: &Matrix, query: &[f32], filter: &Filter| nearest::search(&reader, matrix, query, filter, 10).unwrap();
    let by_tag = STEPS.map(|step| (Filter { tags: vec![format!("t{step}")], ..Filter::default() }, 3_000 / step));
    let by_importance = [999, 990, 900, 500, 1, 0].map(|least| {
        let filter = Filter { importance_min: Some(least), ..Filter::default() };
        (filter, 3 * (1_000 - usize::from(least)))
    });
    for (filter, passing) in by_tag.into_iter().chain(by_importance) {
        for query in queries() {
            let hits = find(&matrix, &query, &filter);
            assert_eq!(hits.len(), passing.min(10), "{filter:?}");
            assert_eq!(hits, find(&exact, &query, &filter), "{filter:?}");
        }
    }
}

/// Vectors around topics, as those of real texts are.
fn topical(number: Number) -> Vec<f32> {
    let (topic, own) = (direction(&format!("topic {}", number % 97)), direction(&format!("own {number}")));
    topic.iter().zip(own).map(|(topic, own)| topic + 0.7 * own).collect()
}

#[test]
fn among_many_nearly_all_of_the_nearest_are_found_and_never_fewer_than_asked_for() {
    const MEMORIES: usize = 40_000;
    let ground = Ground::new();
    ground.remember_all((0..MEMORIES).map(|at| said(&format!("note {at}"))));
    let vectors = vector::open(&ground.path("vectors.db"), MARK, None).unwrap();
    let mut world = World { ground, vectors };
    let pending = vector::pending(&world.ground.connection, &world.vectors, "m", usize::MAX).unwrap();
    for some in pending.chunks(2_000) {
        let new = some.iter().map(|memory| NewVector {
            number: memory.number,
            digest: memory.digest,
            passages: vec![topical(memory.number)],
        });
        let new: Vec<_> = new.collect();
        vector::put(&world.ground.connection, &mut world.vectors, "m", &new).unwrap();
    }
    world.write_cells();
    let (matrix, exact) = (world.matrix(), world.exact());
    for step in [1, 2, 20, 2_000] {
        let allowed: Vec<Number> = (1..=MEMORIES as Number).step_by(step).collect();
        let allowed = (step > 1).then_some(&allowed[..]);
        let (mut found, mut wanted) = (0, 0);
        for at in 0..20 {
            let query = topical(1_000_000 + at);
            let hits = matrix.search(&query, allowed, 10).unwrap();
            let nearest = exact.search(&query, allowed, 10).unwrap();
            assert_eq!(hits.len(), nearest.len());
            found += nearest.iter().filter(|hit| hits.contains(hit)).count();
            wanted += nearest.len();
        }
        assert!(found * 100 >= wanted * 95, "one in {step}: {found} of {wanted}");
    }
    assert_eq!(matrix.search(&topical(1), None, 3_000).unwrap().len(), 3_000);
}

/// Damages the file in some way, and then asks: the answers are those of the undamaged vectors.
fn assert_survives(world: &mut World, what: &str, damage: impl Fn(&Path)) {
    assert_eq!(world.write_cells(), Outcome::Built, "{what}");
    let open = world.matrix();
    damage(&world.files()[0]);
    let exact = world.exact();
    for matrix in [world.matrix(), open] {
        matrix.catch_up(&mut world.vectors).unwrap();
        assert_same(&matrix, &exact, &[1, 7, 14, 250, 300]);
        let all: Vec<Number> = (1..=300).collect();
        assert_same(&matrix, &exact, &all);
    }
    // So that the next one is due.
    let mut base = vector::models(&world.vectors).unwrap();
    assert_eq!(base.pop().unwrap().memories, 300);
    world.vectors.execute("UPDATE model SET base = NULL", []).unwrap();
}

#[test]
fn a_file_that_is_cut_short_emptied_or_gone_is_given_up_and_written_again() {
    let mut world = World::new(300);
    assert_survives(&mut world, "gone", |path| fs::remove_file(path).unwrap());
    for share in [0, 1, 50, 99] {
        assert_survives(&mut world, "cut", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() * share / 100]).unwrap();
        });
    }
    assert_survives(&mut world, "longer", |path| {
        fs::write(path, [fs::read(path).unwrap(), vec![0; 100]].concat()).unwrap();
    });
    assert_survives(&mut world, "zeros", |path| {
        fs::write(path, vec![0; fs::metadata(path).unwrap().len() as usize]).unwrap();
    });
}

#[test]
fn a_flipped_bit_anywhere_changes_no_answer() {
    let mut world = World::new(300);
    let mut dice = Dice(77);
    for round in 0..80 {
        let at = dice.below(1 << 30);
        // The head, and then anywhere.
        let near = if round < 20 { 120 } else { usize::MAX };
        assert_survives(&mut world, &format!("bit {at} of round {round}"), |path| {
            let mut bytes = fs::read(path).unwrap();
            let byte = at % bytes.len().min(near);
            bytes[byte] ^= 1 << (at % 8);
            fs::write(path, bytes).unwrap();
        });
    }
}

#[test]
fn garbage_in_any_place_changes_no_answer() {
    let mut world = World::new(300);
    let mut dice = Dice(78);
    for round in 0..40 {
        let (at, length) = (dice.below(1 << 30), 1 + dice.below(3_000));
        let garbage: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
        assert_survives(&mut world, &format!("garbage of round {round}"), |path| {
            let mut bytes = fs::read(path).unwrap();
            // Every third time where sizes and places are told.
            let first = at % if round % 3 == 0 { 60 } else { bytes.len() };
            let end = (first + length).min(bytes.len());
            bytes[first..end].copy_from_slice(&garbage[..end - first]);
            fs::write(path, bytes).unwrap();
        });
    }
}

#[test]
fn a_file_of_another_store_is_not_used() {
    let mut world = World::new(300);
    let mut other = World::saying((0..300).map(|at| said(&format!("other {at}"))));
    other.write_cells();
    let foreign = fs::read(&other.files()[0]).unwrap();
    assert_survives(&mut world, "foreign", |path| fs::write(path, &foreign).unwrap());
    assert!(other.matrix().in_file() > 0);

    fs::write(world.ground.path("vectors-00000000000000aa.cells"), &foreign).unwrap();
    vector::erase(&world.ground.connection, &mut world.vectors, &[1]).unwrap();
    assert!(!world.ground.path("vectors-00000000000000aa.cells").exists());
    let elsewhere = vector::open(&world.ground.path("vectors.db"), StoreMark([8; 16]), None).unwrap();
    assert_eq!(vector::models(&elsewhere).unwrap(), vec![]);
}

#[test]
fn of_two_that_write_at_once_one_does_and_both_use_its_file() {
    let mut world = World::new(3_000);
    let path = world.ground.path("vectors.db");
    let outcomes = thread::scope(|scope| {
        let write = || build(&path, "m", 4, &Watch::default()).unwrap();
        [scope.spawn(write), scope.spawn(write)].map(|writing| writing.join().unwrap())
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Built).count(), 1, "{outcomes:?}");
    assert_eq!(world.files().len(), 1);
    assert_same(&world.matrix(), &world.exact(), &[1, 2_999]);
}

#[test]
fn one_that_is_stopped_leaves_nothing_behind() {
    let world = World::new(300);
    let watch = Watch::default();
    watch.stop();
    assert_eq!(build(&world.ground.path("vectors.db"), "m", 4, &watch).unwrap(), Outcome::Stopped);
    assert_eq!(world.files(), Vec::<PathBuf>::new());
}

/// What a process does until it is killed: write files of cells, again and again.
#[test]
#[ignore = "a part of another test, which runs it in a process of its own"]
fn writes_cells_until_killed() {
    let Some(folder) = std::env::var_os("CELLS_FOLDER") else { return };
    let path = Path::new(&folder).join("vectors.db");
    loop {
        let connection = Connection::open(&path).unwrap();
        connection.busy_timeout(TIME_MAX).unwrap();
        connection.execute("UPDATE model SET base = NULL", []).unwrap();
        drop(connection);
        build(&path, "m", 4, &Watch::default()).unwrap();
    }
}

fn start_writing(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_cells_until_killed", "--test-threads=1", "--ignored"])
        .env("CELLS_FOLDER", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn processes_that_are_killed_while_they_write_harm_no_answer_and_leave_nothing_behind() {
    let mut world = World::new(3_000);
    let exact = world.exact();
    let folder = world.ground.folder.path().to_owned();
    let mut dice = Dice(5);
    let mut seen = 0;
    for round in 0..40 {
        let mut child = start_writing(&folder);
        // Killed at some moment after it began to write a file.
        let begun = Instant::now();
        while !cell_files(&folder).iter().any(|path| path.to_string_lossy().ends_with("-new")) {
            assert!(begun.elapsed() < TIME_MAX, "no file was begun");
        }
        let moment = begun.elapsed() + Duration::from_micros(dice.below(20_000) as u64);
        while begun.elapsed() < moment {
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        seen += usize::from(world.files().len() > 1 || world.files().iter().any(|path| path.ends_with("-new")));
        if round % 4 == 0 {
            assert_same(&world.matrix(), &exact, &[1, 7, 2_999]);
        }
    }
    world.vectors.execute("UPDATE model SET base = NULL", []).unwrap();
    world.forget(&[10]);
    assert_eq!(files_with(&folder, "note 9 0"), Vec::<String>::new());
    assert_eq!(world.write_cells(), Outcome::Built);
    assert_eq!(world.files().len(), 1, "{seen} leftovers were seen");
    assert_same(&world.matrix(), &world.exact(), &[1, 7, 10, 2_999]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    /// Whatever is put, replaced, erased and written anew, followers and newcomers answer as an exact search does.
    #[test]
    fn followers_and_newcomers_answer_alike(steps in prop::collection::vec((0_u8..5, any::<usize>()), 1..40)) {
        let mut world = World::new(20);
        let follower = Matrix::new("m");
        let mut living: Vec<Number> = (1..=20).collect();
        for (kind, at) in steps {
            match (kind, living.is_empty()) {
                (1, false) => world.ground.update(living[at % living.len()], &said(&format!("changed {at}"))),
                (2, false) => {
                    let number = living.swap_remove(at % living.len());
                    world.forget(&[number]);
                }
                (3, _) => drop(world.write_cells()),
                (4, _) => drop(follower.catch_up(&mut world.vectors).unwrap()),
                _ => living.push(world.ground.remember(&said(&format!("new {at}")))),
            }
            if at % 3 == 0 {
                world.embed();
            }
        }
        world.embed();
        follower.catch_up(&mut world.vectors).unwrap();
        let all: Vec<Number> = (1..200).collect();
        let exact = world.exact();
        assert_same(&follower, &exact, &all);
        assert_same(&world.matrix(), &exact, &all);
        let query = direction("question");
        let found: Vec<VectorHit> = follower.search(&query, None, 500).unwrap();
        prop_assert_eq!(found.len(), living.len());
    }
}
