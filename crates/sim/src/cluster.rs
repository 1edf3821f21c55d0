//! A cluster: one closed space, its members with their machines and folders, and what happens to these from outside.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chrysalis_core::id::{Epoch, Salt};
use chrysalis_core::member::{Grant, Invitation, Role, Space};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::gossip::GossipConfig;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::node::NodeConfig;
use chrysalis_core::sync::replica::Replica as _;
use chrysalis_core::token::Token;
use chrysalis_store::StoreOptions;
use tempfile::TempDir;

use crate::failure::Failure;
use crate::forge::Vote;
use crate::machine::{Identity, Keeping, Machine, Owner};
use crate::random::Draw;
use crate::replica::{Kept, SimReplica};
use crate::stored::{Stored, bind};
use crate::world::World;

/// A closed space and all its machines.
pub struct Cluster {
    /// The world they live in.
    pub world: World,
    /// The space.
    pub space: Space,
    founder: SecretKey,
    folder: TempDir,
}

impl Cluster {
    /// A space whose founder is machine 0, with a store.
    ///
    /// # Errors
    /// When the founder's store can't be made.
    pub fn found(seed: u64) -> Result<Self, Failure> {
        let mut world = World::new(seed);
        let folder = folder()?;
        let seed = world.random.bytes();
        let founder = SecretKey::from_seed(&seed);
        let nowhere = Space::Open { name: "simulated".to_owned() };
        let identity = Identity { seed, space: nowhere.clone(), grant: None, role: Some(Role::Administrator) };
        let mut cluster = Self { world, space: nowhere, founder, folder };
        let number = cluster.place(identity, Owner::Honest, Keeping::Store)?;
        let closed = StoreOptions { space: Some("simulated".to_owned()), closed: true, ..StoreOptions::default() };
        let stored = cluster.open_store(number, closed)?;
        cluster.space = stored.store.space().clone();
        cluster.world.machines[number].identity.space = cluster.space.clone();
        cluster.world.start(number, SimReplica::new(Kept::Store(Box::new(stored))));
        Ok(cluster)
    }

    /// A new member with a machine that runs. Returns its number.
    ///
    /// # Errors
    /// When its store can't be made.
    pub fn add(&mut self, owner: Owner, keeping: Keeping, role: Role) -> Result<usize, Failure> {
        let seed = self.world.random.bytes();
        let identity = self.invited(seed, role);
        let number = self.place(identity, owner, keeping)?;
        let kept = match keeping {
            Keeping::Memory => Kept::Memory(Box::new(self.in_memory(number)?)),
            Keeping::Store => {
                let token = Some(Arc::new(self.token(role)?));
                Kept::Store(Box::new(
                    self.open_store(number, StoreOptions { invite: token, ..StoreOptions::default() })?,
                ))
            }
        };
        self.world.start(number, SimReplica::new(kept));
        Ok(number)
    }

    /// A new member whom a machine's administrator invites, with a machine that runs. None when it may not.
    ///
    /// # Errors
    /// When its store can't be made.
    pub fn join(&mut self, inviter: usize, role: Role) -> Result<Option<usize>, Failure> {
        let Some(stored) = self.world.machines[inviter].running.as_ref().and_then(|one| one.replica.stored()) else {
            return Ok(None);
        };
        let Ok(token) = stored.store.invite(role, None, Vec::new()) else { return Ok(None) };
        let token = Arc::new(Token::decode(&token)?);
        let seed = self.world.random.bytes();
        let identity = Identity { seed, space: self.space.clone(), grant: None, role: Some(role) };
        let number = self.place(identity, Owner::Honest, Keeping::Store)?;
        self.world.machines[number].inviter = Some(inviter);
        let stored = self.open_store(number, StoreOptions { invite: Some(token), ..StoreOptions::default() })?;
        self.world.start(number, SimReplica::new(Kept::Store(Box::new(stored))));
        Ok(Some(number))
    }

    /// A hostile machine whom a hostile administrator lets in, by an invitation of its own making.
    ///
    /// # Errors
    /// None that an honest role makes.
    pub fn smuggle(&mut self, traitor: usize) -> Result<Option<usize>, Failure> {
        let (ephemeral, seed): ([u8; 32], [u8; 32]) = (self.world.random.bytes(), self.world.random.bytes());
        let Some(running) = &self.world.machines[traitor].running else { return Ok(None) };
        let issuer = running.replica.opening()?.map(|opening| opening.fingerprint());
        let signer = SecretKey::from_seed(&self.world.machines[traitor].identity.seed);
        let (ephemeral, space) = (SecretKey::from_seed(&ephemeral), self.space.id());
        let invitation = Invitation::sign(&space, Role::Writer, None, ephemeral.public(), issuer, &signer);
        let grant = Grant::accept(invitation, &ephemeral, &space, &SecretKey::from_seed(&seed).public());
        let identity = Identity { seed, space: self.space.clone(), grant: Some(grant), role: Some(Role::Writer) };
        let number = self.place(identity, Owner::Hostile, Keeping::Memory)?;
        self.world.machines[number].inviter = Some(traitor);
        let replica = self.in_memory(number)?;
        self.world.start(number, SimReplica::new(Kept::Memory(Box::new(replica))));
        Ok(Some(number))
    }

    /// A machine that relays between members and is none: they know its key, and it has no log.
    ///
    /// # Errors
    /// None today.
    pub fn add_relay(&mut self) -> Result<usize, Failure> {
        let number = self.outsider(Owner::Honest)?;
        self.world.machines[number].config.gossip = GossipConfig::hub();
        let replica = self.replica_of(&self.world.machines[number].identity);
        self.world.start(number, SimReplica::new(Kept::Memory(Box::new(replica))));
        Ok(number)
    }

    /// Has a machine's user name another's key with its address.
    pub fn trust(&mut self, number: usize, other: usize) {
        let other = &self.world.machines[other];
        let (address, key) = (other.address.clone(), other.identity.key());
        self.world.machines[number].trusts.insert(address, key);
    }

    /// A machine, not started, of a key that knows the space and has no grant.
    fn outsider(&mut self, owner: Owner) -> Result<usize, Failure> {
        let seed: [u8; 32] = self.world.random.bytes();
        let identity = Identity { seed, space: self.space.clone(), grant: None, role: None };
        self.place(identity, owner, Keeping::Memory)
    }

    /// A machine of somebody who is no member, and knows the space's id.
    ///
    /// # Errors
    /// None today.
    pub fn add_stranger(&mut self) -> Result<usize, Failure> {
        let number = self.outsider(Owner::Stranger)?;
        let replica = self.replica_of(&self.world.machines[number].identity);
        self.world.start(number, SimReplica::new(Kept::Memory(Box::new(replica))));
        Ok(number)
    }

    /// A hostile member with so many machines of one key, whose logs are the same up to a place and then differ: in what
    /// they say, or in how they vote.
    ///
    /// # Errors
    /// None that an honest role makes.
    pub fn add_twins(&mut self, branches: usize, place: u64, vote: Option<Vote<'_>>) -> Result<Vec<usize>, Failure> {
        let seed = self.world.random.bytes();
        let role = if vote.is_some() { Role::Validator } else { Role::Writer };
        let identity = self.invited(seed, role);
        let shared = self.world.random.split();
        let mut twins = Vec::new();
        for branch in 0..branches {
            let number = self.place(identity.clone(), Owner::Hostile, Keeping::Memory)?;
            let mut replica = self.replica_of(&identity);
            let mut same = shared.clone();
            let (epoch, mut salts) = (Epoch(same.bytes()), same);
            let mut own = self.world.random.split();
            for at in 0..=place {
                // At the place of the fork the salts differ, and so does everything after.
                let salt = if at == place { Salt(own.bytes()) } else { Salt(salts.bytes()) };
                let now_ms = self.world.true_ms();
                if at == 0 {
                    replica.open(epoch, salt, now_ms)?;
                } else {
                    let name = if at == place { format!("twin{number}b{branch}x{at}") } else { format!("twin{at}") };
                    let said = match vote.filter(|_| at == place) {
                        Some(vote) => vote.payload(if branch % 2 == 0 { u16::MAX } else { 0 })?,
                        None => crate::forge::note(&name)?,
                    };
                    replica.say(said, salt, now_ms)?;
                }
            }
            self.world.start(number, SimReplica::new(Kept::Memory(Box::new(replica))));
            twins.push(number);
        }
        Ok(twins)
    }

    /// A machine with its folder, not started.
    fn place(&mut self, identity: Identity, owner: Owner, keeping: Keeping) -> Result<usize, Failure> {
        let number = self.world.machines.len();
        let folder = self.folder.path().join(format!("machine{number}"));
        if keeping == Keeping::Store {
            std::fs::create_dir_all(&folder)?;
            write_key(&folder, &identity.seed)?;
        }
        let address = format!("ws://machine{number}:4444");
        let machine = Machine {
            identity,
            owner,
            keeping,
            folder,
            trusts: Default::default(),
            inviter: None,
            config: NodeConfig { address: Some(address.clone()), ..NodeConfig::default() },
            address,
            knows: Vec::new(),
            running: None,
            wall: Arc::new(AtomicU64::new(self.world.true_ms())),
            skew_ms: 0,
            links: Default::default(),
            slowness_ms: 0,
            step_at_ms: None,
            accident: false,
            removed: false,
            next_link: 0,
        };
        self.world.machines.push(machine);
        Ok(number)
    }

    /// Tells a machine of another, now and whenever it starts.
    pub fn acquaint(&mut self, number: usize, other: usize) {
        let address = self.world.machines[other].address.clone();
        let machine = &mut self.world.machines[number];
        if number != other && !machine.knows.contains(&address) {
            machine.knows.push(address.clone());
            self.world.introduce(number, &address);
        }
    }

    fn invitation(&mut self, role: Role) -> (Invitation, [u8; 32]) {
        let seed = self.world.random.bytes();
        let ephemeral = SecretKey::from_seed(&seed).public();
        (Invitation::sign(&self.space.id(), role, None, ephemeral, None, &self.founder), seed)
    }

    fn token(&mut self, role: Role) -> Result<Token, Failure> {
        let (invitation, seed) = self.invitation(role);
        Ok(Token::new(self.space.clone(), invitation, seed, Vec::new())?)
    }

    fn invited(&mut self, seed: [u8; 32], role: Role) -> Identity {
        let (invitation, ephemeral) = self.invitation(role);
        let replica = SecretKey::from_seed(&seed).public();
        let grant = Grant::accept(invitation, &SecretKey::from_seed(&ephemeral), &self.space.id(), &replica);
        Identity { seed, space: self.space.clone(), grant: Some(grant), role: Some(role) }
    }

    fn replica_of(&self, identity: &Identity) -> MemoryReplica {
        MemoryReplica::new(self.space.clone(), SecretKey::from_seed(&identity.seed), identity.grant.clone())
    }

    fn in_memory(&mut self, number: usize) -> Result<MemoryReplica, Failure> {
        let mut replica = self.replica_of(&self.world.machines[number].identity);
        let (epoch, salt) = (Epoch(self.world.random.bytes()), Salt(self.world.random.bytes()));
        replica.open(epoch, salt, self.world.machines[number].wall_ms())?;
        Ok(replica)
    }

    fn open_store(&mut self, number: usize, joins: StoreOptions) -> Result<Stored, Failure> {
        let random = self.world.random.split();
        let machine = &self.world.machines[number];
        machine.set_clock(self.world.true_ms());
        Ok(Stored::open(&machine.folder, &machine.wall, random, joins)?)
    }
}

// What happens to machines from outside.
impl Cluster {
    /// Starts a machine that is down, from what its disk holds.
    ///
    /// # Errors
    /// When its store does not open.
    pub fn restart(&mut self, number: usize) -> Result<(), Failure> {
        if self.world.machines[number].running.is_some() {
            return Ok(());
        }
        let kept = match self.world.machines[number].keeping {
            // Nothing is left of it but its settings: it begins anew, in another epoch.
            Keeping::Memory => Kept::Memory(Box::new(self.in_memory(number)?)),
            Keeping::Store => Kept::Store(Box::new(self.open_store(number, StoreOptions::default())?)),
        };
        self.world.start(number, SimReplica::new(kept));
        Ok(())
    }

    /// Stops a machine as its user would, and copies its folder.
    ///
    /// # Errors
    /// Faults of the real disk.
    pub fn back_up(&mut self, number: usize, to: &str) -> Result<(), Failure> {
        self.shut_down(number)?;
        let to = self.folder.path().join(to);
        std::fs::create_dir_all(&to)?;
        copy_store(&self.world.machines[number].folder, &to)?;
        self.restart(number)
    }

    /// Puts an old copy in the place of a machine's folder, file by file, so that nothing tells it from the original.
    ///
    /// # Errors
    /// Faults of the real disk.
    pub fn restore(&mut self, number: usize, from: &str) -> Result<(), Failure> {
        self.shut_down(number)?;
        let folder = self.world.machines[number].folder.clone();
        for file in std::fs::read_dir(&folder)? {
            let file = file?;
            let name = file.file_name();
            // Written over in place, as a restore does: the file stays the same file.
            if name == "chrysalis.db" || name == "key" {
                std::fs::write(file.path(), std::fs::read(self.folder.path().join(from).join(name))?)?;
            } else {
                std::fs::remove_file(file.path())?;
            }
        }
        self.world.machines[number].accident = true;
        self.restart(number)
    }

    /// Copies a machine whole: another one with its key, its log and its belief to be the original.
    ///
    /// # Errors
    /// Faults of the real disk.
    pub fn clone_machine(&mut self, number: usize) -> Result<usize, Failure> {
        self.shut_down(number)?;
        let identity = self.world.machines[number].identity.clone();
        let other = self.place(identity, Owner::Honest, Keeping::Store)?;
        copy_store(&self.world.machines[number].folder, &self.world.machines[other].folder)?;
        bind(&self.world.machines[other].folder)?;
        for machine in [number, other] {
            self.world.machines[machine].accident = true;
            self.restart(machine)?;
        }
        Ok(other)
    }

    /// Stops a machine and closes its store.
    ///
    /// # Errors
    /// When the store does not close.
    pub fn shut_down(&mut self, number: usize) -> Result<(), Failure> {
        let stopped = self.world.stop(number);
        if let Some(stored) = stopped.as_ref().and_then(|running| running.replica.stored()) {
            stored.store.close()?;
        }
        Ok(())
    }
}

/// A folder for all machines, in memory where the system has room for files there.
fn folder() -> Result<TempDir, Failure> {
    let shared = Path::new("/dev/shm");
    let made = if shared.is_dir() { TempDir::new_in(shared) } else { TempDir::new() };
    Ok(made.or_else(|_| TempDir::new())?)
}

fn write_key(folder: &Path, seed: &[u8; 32]) -> Result<(), Failure> {
    let key = folder.join("key");
    std::fs::write(&key, seed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn copy_store(from: &Path, to: &Path) -> Result<(), Failure> {
    for file in ["chrysalis.db", "key"] {
        std::fs::copy(from.join(file), to.join(file))?;
    }
    Ok(())
}
