//! Spaces and their members: who may open a log, and in which role.
//!
//! Everything here is decided from signed bytes and from operations in the causal past of the one in question, so
//! that all honest replicas decide alike. The time in an invitation is compared with the joiner's own hybrid time:
//! no local clock takes part.

use crate::codec::{Decoder, Encoder};
use crate::error::{Refusal, Result};
use crate::id::{Epoch, Fingerprint, LogId, ReplicaKey, Signature, SpaceId, WithdrawalDigest, digest};
use crate::limits;
use crate::operation::{Kind, read_fingerprint};
use crate::sign::{self, SecretKey};

const INVITATION_DOMAIN: &[u8] = b"chrysalis/sig/invitation/1\0";
const JOIN_DOMAIN: &[u8] = b"chrysalis/sig/join/1\0";

/// What a member may do. The numbers are the wire format's; each role may do all that a smaller one may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Role {
    /// Carries operations it can't read.
    Relay = 0,
    /// Reads.
    Reader = 1,
    /// Writes and forgets its own.
    Writer = 2,
    /// Votes.
    Validator = 3,
    /// Invites, removes, forgets anything, sets settings.
    Administrator = 4,
}

impl Role {
    /// The role with this number.
    pub fn from_number(number: u64) -> Result<Self> {
        Ok(match number {
            0 => Role::Relay,
            1 => Role::Reader,
            2 => Role::Writer,
            3 => Role::Validator,
            4 => Role::Administrator,
            _ => return Err(Refusal::Malformed("an unknown role")),
        })
    }

    /// The glossary's word.
    pub fn name(self) -> &'static str {
        match self {
            Role::Relay => "relay",
            Role::Reader => "reader",
            Role::Writer => "writer",
            Role::Validator => "validator",
            Role::Administrator => "administrator",
        }
    }

    /// The role with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Role::Relay, Role::Reader, Role::Writer, Role::Validator, Role::Administrator]
            .into_iter()
            .find(|r| r.name() == name)
    }

    /// Whether a log of this role may hold this kind of operation.
    pub fn may(self, kind: Kind) -> bool {
        let least = match kind {
            Kind::Open => Role::Relay,
            Kind::Write | Kind::Forget | Kind::Touch => Role::Writer,
            Kind::Attest => Role::Validator,
            Kind::Remove | Kind::Configure => Role::Administrator,
        };
        self >= least
    }
}

/// What a space is; its id is the digest of this.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Space {
    /// Whoever knows its name may write.
    Open {
        /// The name.
        name: String,
    },
    /// Members only.
    Closed {
        /// The name, for people.
        name: String,
        /// The key that opened it: its first administrator.
        founder: ReplicaKey,
        /// Random, so that one founder can open many spaces of one name.
        nonce: Epoch,
    },
}

impl Space {
    /// The name people use.
    pub fn name(&self) -> &str {
        match self {
            Space::Open { name } | Space::Closed { name, .. } => name,
        }
    }

    /// The digest that names it in logs.
    pub fn id(&self) -> SpaceId {
        let mut encoder = Encoder::default();
        self.write(&mut encoder);
        SpaceId(digest("chrysalis/space/1", &[&encoder.finish()]))
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        self.write(&mut encoder);
        encoder.finish()
    }

    /// Reads the canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(bytes);
        let space = Self::read(&mut decoder)?;
        decoder.finish()?;
        Ok(space)
    }

    fn write(&self, e: &mut Encoder) {
        match self {
            Space::Open { name } => {
                e.array(2).uint(0).text(name);
            }
            Space::Closed { name, founder, nonce } => {
                e.array(4).uint(1).text(name).bytes(founder.as_bytes()).bytes(nonce.as_bytes());
            }
        }
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self> {
        let length = d.array_up_to(4, "space")?;
        let closed = d.uint(1, "space")? == 1;
        let name = d.text(limits::NAME_BYTES_MAX, "name (bytes)")?.to_owned();
        match (closed, length) {
            (false, 2) => Ok(Space::Open { name }),
            (true, 4) => {
                let founder = ReplicaKey::from_slice(d.bytes(ReplicaKey::LENGTH, "replica key")?)?;
                Ok(Space::Closed { name, founder, nonce: Epoch::from_slice(d.bytes(Epoch::LENGTH, "nonce")?)? })
            }
            _ => Err(Refusal::Malformed("an unknown kind of space")),
        }
    }

    /// Keyed digest of content, by which withdrawn words are known again: the key is the space, so that who does not
    /// know the space can't try words against it.
    pub fn withdrawal_digest(&self, content: &str) -> WithdrawalDigest {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut block = [0u8; 128];
        block[..SpaceId::LENGTH].copy_from_slice(self.id().as_bytes());
        let mut mac = Hmac::<sha2::Sha384>::new(&block.into());
        mac.update(b"chrysalis/withdrawal/1\0");
        mac.update(content.as_bytes());
        WithdrawalDigest(mac.finalize().into_bytes().into())
    }
}

/// The id of the log that a replica writes in a space during one epoch, in one role.
///
/// The role is part of it: two openings of one log that granted two roles would let the order of arrival decide which
/// of them judges the operations that follow.
pub fn log_id(space: &SpaceId, replica: &ReplicaKey, epoch: &Epoch, role: Role) -> LogId {
    let parts = [space.as_bytes(), replica.as_bytes(), epoch.as_bytes(), &[role as u8]];
    let whole = digest("chrysalis/log/1", &parts);
    let mut id = [0; LogId::LENGTH];
    id.copy_from_slice(&whole[..LogId::LENGTH]);
    LogId(id)
}

/// What the first operation of a log says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogFacts {
    /// Whose log it is.
    pub replica: ReplicaKey,
    /// Which life of it.
    pub epoch: Epoch,
    /// What its owner may do.
    pub role: Role,
}

/// An administrator's signed word that whoever holds the ephemeral key may join.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// The role it grants.
    pub role: Role,
    /// Until when it may be used, in ms since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// The public half of the key that the invited one gets with the token.
    pub ephemeral: ReplicaKey,
    /// The `open` operation of the administrator who signed; none when it was the founder.
    pub issuer: Option<Fingerprint>,
    /// The administrator's signature.
    pub signature: Signature,
}

impl Invitation {
    /// Signs an invitation to a space.
    pub fn sign(
        space: &SpaceId,
        role: Role,
        expires_ms: Option<u64>,
        ephemeral: ReplicaKey,
        issuer: Option<Fingerprint>,
        key: &SecretKey,
    ) -> Self {
        let mut invitation = Self { role, expires_ms, ephemeral, issuer, signature: Signature([0; 64]) };
        invitation.signature = key.sign(&invitation.message(space));
        invitation
    }

    /// The canonical bytes, for a token.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.array(5);
        self.write_terms(&mut encoder);
        encoder.bytes(self.signature.as_bytes());
        encoder.finish()
    }

    /// Reads the canonical bytes. Reading proves nothing: see [`Open::role`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut d = Decoder::new(bytes);
        d.array(5, "an invitation has five elements")?;
        let invitation = Self::read(&mut d)?;
        d.finish()?;
        Ok(invitation)
    }

    /// Whether this key signed it.
    pub fn is_signed_by(&self, signer: &ReplicaKey, space: &SpaceId) -> bool {
        sign::verify(signer, &self.message(space), &self.signature).is_ok()
    }

    fn message(&self, space: &SpaceId) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.array(5).bytes(space.as_bytes());
        self.write_terms(&mut encoder);
        [INVITATION_DOMAIN, &encoder.finish()].concat()
    }

    fn write_terms(&self, e: &mut Encoder) {
        e.uint(self.role as u64).optional(self.expires_ms, |e, at| {
            e.uint(at);
        });
        e.bytes(self.ephemeral.as_bytes()).optional(self.issuer, |e, issuer| {
            e.bytes(issuer.as_bytes());
        });
    }

    /// Terms and signature, in that order.
    fn read(d: &mut Decoder<'_>) -> Result<Self> {
        Ok(Self {
            role: Role::from_number(d.uint(u64::from(u8::MAX), "role")?)?,
            expires_ms: d.optional(|d| d.uint(limits::INTEGER_MAX, "expiry"))?,
            ephemeral: ReplicaKey::from_slice(d.bytes(ReplicaKey::LENGTH, "ephemeral key")?)?,
            issuer: d.optional(read_fingerprint)?,
            signature: Signature::from_slice(d.bytes(Signature::LENGTH, "signature")?)?,
        })
    }
}

/// An invitation countersigned for one replica: what its logs open with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// What the administrator signed.
    pub invitation: Invitation,
    /// The ephemeral key's signature over space and joining replica.
    pub countersignature: Signature,
}

impl Grant {
    /// Uses an invitation for this replica.
    pub fn accept(invitation: Invitation, ephemeral: &SecretKey, space: &SpaceId, replica: &ReplicaKey) -> Self {
        let countersignature = ephemeral.sign(&join_message(space, replica));
        Self { invitation, countersignature }
    }

    fn write(&self, e: &mut Encoder) {
        e.array(6);
        self.invitation.write_terms(e);
        e.bytes(self.invitation.signature.as_bytes()).bytes(self.countersignature.as_bytes());
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self> {
        d.array(6, "a grant has six elements")?;
        let invitation = Invitation::read(d)?;
        Ok(Self { invitation, countersignature: Signature::from_slice(d.bytes(Signature::LENGTH, "signature")?)? })
    }
}

fn join_message(space: &SpaceId, replica: &ReplicaKey) -> Vec<u8> {
    [JOIN_DOMAIN, space.as_bytes(), replica.as_bytes()].concat()
}

/// Payload of the first operation of a log: binds space, replica and epoch, and carries the grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// The space.
    pub space: Space,
    /// The replica's key.
    pub replica: ReplicaKey,
    /// This life of its log.
    pub epoch: Epoch,
    /// Why the replica may write here; none in an open space and for the founder.
    pub grant: Option<Grant>,
}

impl Open {
    /// The log that this opens.
    pub fn log(&self) -> LogId {
        log_id(&self.space.id(), &self.replica, &self.epoch, self.claimed_role())
    }

    /// The role that it says it has; [`Open::role`] says whether that holds.
    pub fn claimed_role(&self) -> Role {
        match (&self.space, &self.grant) {
            (Space::Closed { .. }, Some(grant)) => grant.invitation.role,
            _ => Role::Administrator,
        }
    }

    pub(crate) fn write(&self, e: &mut Encoder) {
        e.array(4);
        self.space.write(e);
        e.bytes(self.replica.as_bytes()).bytes(self.epoch.as_bytes());
        e.optional(self.grant.as_ref(), |e, grant| grant.write(e));
    }

    pub(crate) fn read(d: &mut Decoder<'_>) -> Result<Self> {
        d.array(4, "an open has four elements")?;
        Ok(Self {
            space: Space::read(d)?,
            replica: ReplicaKey::from_slice(d.bytes(ReplicaKey::LENGTH, "replica key")?)?,
            epoch: Epoch::from_slice(d.bytes(Epoch::LENGTH, "epoch")?)?,
            grant: d.optional(Grant::read)?,
        })
    }

    /// The role that this log has.
    ///
    /// `issuer` is the key and role of the log that the invitation's issuer opened, looked up by the caller.
    pub fn role(&self, hybrid_ms: u64, issuer: Option<(ReplicaKey, Role)>) -> Result<Role> {
        let founder = match &self.space {
            Space::Open { .. } => return Ok(Role::Administrator),
            Space::Closed { founder, .. } => founder,
        };
        let Some(grant) = &self.grant else {
            let is_founder = self.replica == *founder;
            return if is_founder {
                Ok(Role::Administrator)
            } else {
                Err(Refusal::NotAllowed("no grant to join a closed space"))
            };
        };
        let invitation = &grant.invitation;
        let signer = match (invitation.issuer, issuer) {
            (None, _) => *founder,
            (Some(_), Some((key, Role::Administrator))) => key,
            _ => return Err(Refusal::NotAllowed("the invitation's issuer is no administrator")),
        };
        let space = self.space.id();
        let joins = join_message(&space, &self.replica);
        let holds = invitation.is_signed_by(&signer, &space)
            && sign::verify(&invitation.ephemeral, &joins, &grant.countersignature).is_ok();
        if !holds {
            return Err(Refusal::NotAllowed("the grant's signatures do not hold"));
        }
        if invitation.expires_ms.is_some_and(|expires_ms| hybrid_ms > expires_ms) {
            return Err(Refusal::NotAllowed("the invitation had expired"));
        }
        Ok(invitation.role)
    }
}
