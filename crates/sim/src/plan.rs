//! What is simulated: how many machines, which faults, which hostile members. Each scenario is a plan with a name.

use crate::lies::Habits;
use crate::mangle::Manners;
use crate::network::Weather;
use crate::planted::Planted;
use crate::random::{Draw, Random};

/// A plan. Numbers of faults are in so many of a thousand ticks; a tick is some milliseconds in which one agent acts.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Honest machines with a real store.
    pub stores: usize,
    /// Honest machines that keep nothing but operations, in memory.
    pub memories: usize,
    /// Ticks.
    pub ticks: u64,
    /// Things that agents do: in so many ticks.
    pub deeds: u64,
    /// How links work.
    pub weather: Weather,
    /// Partitions: whole or one-way.
    pub partitions: u64,
    /// Links that break.
    pub breaks: u64,
    /// Kills at a write, before or after its transaction.
    pub kills: u64,
    /// Disks that run full for a while.
    pub full_disks: u64,
    /// Clocks that are set wrong: an hour ahead, an hour behind, or running back.
    pub wrong_clocks: u64,
    /// Machines that take half a second for a step.
    pub slow_machines: u64,
    /// Old backups that are restored.
    pub restores: u64,
    /// Whether agents go on writing on a restored machine before it has heard of anybody.
    pub hasty: bool,
    /// Stores that are cloned: two machines of one key and one log.
    pub clones: usize,
    /// Hostile members that write two branches or more of one log.
    pub twins: usize,
    /// Branches of each.
    pub branches: usize,
    /// Whether the branches are kept apart until the end.
    pub late: bool,
    /// Hostile members that lie about what they have.
    pub liars: usize,
    /// How.
    pub habits: Habits,
    /// Whether they sign forged operations as well.
    pub forges: bool,
    /// What hostile members do to frames.
    pub manners: Manners,
    /// Machines that are no members.
    pub strangers: usize,
    /// Whether one honest machine knows hostile ones alone until the end.
    pub eclipse: bool,
    /// Members who join while work goes on, by an administrator's invitation.
    pub joins: u64,
    /// Members whose membership is ended, honest and hostile ones. They hear of it late, or never listen.
    pub removals: u64,
    /// Whether hostile members send again what was forgotten, with its words.
    pub resends: bool,
    /// Whether the space is robust, all rate and vote, and hostile members vote against what they know, or twice.
    pub votes: bool,
    /// Links that hostile machines open at once and over which they say nothing.
    pub knocks: usize,
    /// Whether members reach each other by a relay alone, which they named by its key and which is no member.
    pub relay: bool,
    /// A mistake put into one replica, which the checks must find.
    pub planted: Option<Planted>,
}

impl Plan {
    /// Some stores that work, over links that work.
    pub fn calm() -> Self {
        Self {
            stores: 5,
            memories: 1,
            ticks: 150,
            deeds: 700,
            weather: Weather::CALM,
            partitions: 0,
            breaks: 0,
            kills: 0,
            full_disks: 0,
            wrong_clocks: 0,
            slow_machines: 0,
            restores: 0,
            hasty: false,
            clones: 0,
            twins: 0,
            branches: 2,
            late: false,
            liars: 0,
            habits: Habits::default(),
            forges: false,
            manners: Manners::default(),
            strangers: 0,
            eclipse: false,
            joins: 0,
            removals: 0,
            resends: false,
            votes: false,
            knocks: 0,
            relay: false,
            planted: None,
        }
    }

    /// Links that are slow, break, fall silent and are cut by partitions; machines that are slow.
    pub fn storm() -> Self {
        Self { weather: Weather::STORM, partitions: 15, breaks: 40, slow_machines: 20, ..Self::calm() }
    }

    /// Processes that are killed at a write, and disks that run full.
    pub fn kills() -> Self {
        Self { kills: 40, full_disks: 30, breaks: 20, ..Self::calm() }
    }

    /// Clocks that are an hour off or run back.
    pub fn clocks() -> Self {
        Self { wrong_clocks: 60, ..Self::calm() }
    }

    /// Backups that are restored and stores that are cloned, by people who mean no harm.
    pub fn accidents() -> Self {
        Self { restores: 8, clones: 1, kills: 10, ..Self::calm() }
    }

    /// Old backups that are restored, on which agents go on writing before the machines have heard of anybody.
    pub fn hasty_restores() -> Self {
        Self { restores: 20, hasty: true, breaks: 10, ..Self::calm() }
    }

    /// Members that write two branches of their log, shown to different peers.
    pub fn twins() -> Self {
        Self { twins: 2, branches: 2, ..Self::calm() }
    }

    /// Members that write many branches, kept apart until the end.
    pub fn late_twins() -> Self {
        Self { twins: 1, branches: 4, late: true, breaks: 20, ..Self::calm() }
    }

    /// Members that lie in summaries, withhold, forge operations and write what they like into their links.
    pub fn liars() -> Self {
        Self { liars: 2, habits: Habits::EVERY, forges: true, manners: Manners::EVERY, ..Self::calm() }
    }

    /// One machine that knows nobody but hostile ones, until somebody tells it of another.
    pub fn eclipse() -> Self {
        Self { liars: 2, habits: Habits::EVERY, forges: true, eclipse: true, ..Self::calm() }
    }

    /// Machines that know an address and the space's id, and are no members.
    pub fn strangers() -> Self {
        Self { strangers: 3, manners: Manners { replays: 100, babbles: 100, ..Manners::default() }, ..Self::calm() }
    }

    /// Members who come and go, also during partitions: the removed write on, and invite.
    pub fn members() -> Self {
        Self {
            stores: 6,
            memories: 0,
            ticks: 180,
            joins: 25,
            removals: 25,
            partitions: 15,
            liars: 1,
            habits: Habits { withholds_words: 100, ..Habits::default() },
            ..Self::calm()
        }
    }

    /// Validators who vote and rate, in a robust space; less than a third of them lie, and one says two things.
    pub fn votes() -> Self {
        Self { stores: 7, twins: 1, liars: 2, forges: true, votes: true, ..Self::calm() }
    }

    /// Members that send again what was forgotten, to those who forgot it and to those who come later.
    pub fn forgotten() -> Self {
        Self {
            liars: 2,
            habits: Habits { disorders: 100, ..Habits::default() },
            resends: true,
            joins: 15,
            kills: 10,
            ..Self::calm()
        }
    }

    /// Machines that send each frame thirty times, or open hundreds of links and say nothing.
    pub fn floods() -> Self {
        Self {
            liars: 1,
            strangers: 2,
            manners: Manners { floods: 200, oversizes: 20, babbles: 100, ..Manners::default() },
            knocks: 100,
            ..Self::calm()
        }
    }

    /// Members that reach each other by way of a relay without a role, whose key they know.
    pub fn relay() -> Self {
        Self { memories: 2, relay: true, breaks: 20, kills: 10, strangers: 1, ..Self::calm() }
    }

    /// Twenty replicas in memory and two stores, over links that break, with twins among them.
    pub fn crowd() -> Self {
        Self {
            stores: 2,
            memories: 20,
            ticks: 100,
            weather: Weather { breaks_in_million: 200, silences_in_million: 100, delay_ms: (5, 80) },
            twins: 1,
            ..Self::calm()
        }
    }

    /// Every fault and every hostile member, each with a chance of a half.
    pub fn anything(random: &mut Random) -> Self {
        let mut plan = Self::calm();
        plan.stores = random.between(3, 7) as usize;
        plan.memories = random.between(0, 4) as usize;
        plan.weather = if random.chance(500) { Weather::STORM } else { Weather::CALM };
        let mut sometimes = |most: u64| if random.chance(500) { 1 + random.below(most) } else { 0 };
        plan.partitions = sometimes(20);
        plan.breaks = sometimes(50);
        plan.kills = sometimes(40);
        plan.full_disks = sometimes(30);
        plan.wrong_clocks = sometimes(40);
        plan.slow_machines = sometimes(30);
        plan.restores = sometimes(6);
        plan.hasty = plan.restores > 0 && sometimes(1) == 1;
        plan.clones = sometimes(1) as usize;
        plan.twins = sometimes(2) as usize;
        plan.branches = 2 + sometimes(2) as usize;
        plan.late = sometimes(1) == 1;
        plan.liars = sometimes(2) as usize;
        plan.forges = sometimes(1) == 1;
        plan.strangers = sometimes(2) as usize;
        plan.eclipse = plan.liars > 0 && sometimes(1) == 1;
        plan.joins = sometimes(20);
        plan.removals = sometimes(20);
        plan.resends = sometimes(1) == 1;
        plan.votes = sometimes(1) == 1;
        plan.knocks = sometimes(60) as usize;
        if sometimes(1) == 1 {
            plan.habits = Habits::EVERY;
        }
        if sometimes(1) == 1 {
            plan.manners = Manners::EVERY;
        }
        if plan.removals > 0 {
            // A replica in memory joins operations, and judges no removals.
            plan.memories = 0;
        }
        plan
    }
}

/// A plan with a name.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The name.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    plan: fn(&mut Random) -> Plan,
}

impl Scenario {
    /// The plan for this seed.
    pub fn plan(&self, random: &mut Random) -> Plan {
        (self.plan)(random)
    }

    /// The scenario with this name.
    pub fn named(name: &str) -> Option<Self> {
        SCENARIOS.into_iter().find(|scenario| scenario.name == name)
    }
}

/// Every scenario.
pub const SCENARIOS: [Scenario; 18] = [
    Scenario {
        name: "anything",
        about: "each fault and each hostile member with a chance of a half",
        plan: Plan::anything,
    },
    Scenario { name: "calm", about: "stores that work, over links that work", plan: |_| Plan::calm() },
    Scenario {
        name: "storm",
        about: "links that are slow, break, fall silent; partitions, whole and one-way",
        plan: |_| Plan::storm(),
    },
    Scenario {
        name: "kills",
        about: "processes killed before and after a transaction; full disks",
        plan: |_| Plan::kills(),
    },
    Scenario { name: "clocks", about: "clocks an hour off and running back", plan: |_| Plan::clocks() },
    Scenario { name: "accidents", about: "restored backups and cloned stores", plan: |_| Plan::accidents() },
    Scenario {
        name: "hasty-restores",
        about: "restored backups on which agents write before they hear of anybody",
        plan: |_| Plan::hasty_restores(),
    },
    Scenario { name: "twins", about: "members that write two branches of their log", plan: |_| Plan::twins() },
    Scenario {
        name: "late-twins",
        about: "members with four branches, kept apart until the end",
        plan: |_| Plan::late_twins(),
    },
    Scenario {
        name: "liars",
        about: "lies in summaries, withheld words, forged operations, mangled frames",
        plan: |_| Plan::liars(),
    },
    Scenario { name: "eclipse", about: "a machine that knows liars alone", plan: |_| Plan::eclipse() },
    Scenario {
        name: "members",
        about: "members who join and are removed, also during partitions",
        plan: |_| Plan::members(),
    },
    Scenario {
        name: "votes",
        about: "a robust space in which less than a third lie, or vote twice",
        plan: |_| Plan::votes(),
    },
    Scenario { name: "forgotten", about: "what was forgotten, sent again", plan: |_| Plan::forgotten() },
    Scenario { name: "floods", about: "frames without end, and links without a word", plan: |_| Plan::floods() },
    Scenario { name: "relay", about: "members that a relay without a role joins", plan: |_| Plan::relay() },
    Scenario { name: "strangers", about: "machines that are no members", plan: |_| Plan::strangers() },
    Scenario {
        name: "crowd",
        about: "twenty replicas in memory, over links that break, with twins",
        plan: |_| Plan::crowd(),
    },
];
