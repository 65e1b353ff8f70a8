//! Steps of everything that goes wrong: nodes that stand still or die, cards lost, nodes cut off,
//! files altered or carried away, strangers at the door.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use wire::MemberState;

use super::phrase::Slots;
use super::stage::{Changed, Done, Last, Miss, Stage, TIER_PATIENCE, until_it_holds};
use crate::live::decree::decree;
use crate::live::{files, tool};

/// How long a process that must not start may take to say so.
const START_PATIENCE: Duration = Duration::from_secs(15);
/// How long a stranger listens.
const KNOCK_PATIENCE: Duration = Duration::from_secs(3);
const CENTER: &str = "center";

pub(super) fn stands_still(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    stage.world.signal(&node, Signal::SIGSTOP);
    stage.changed.push(Changed::Stands(node));
    Ok("its process is stopped, its connections stay open".to_owned())
}

pub(super) fn goes_on(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    stage.world.signal(&node, Signal::SIGCONT);
    stage.changed.retain(|changed| !matches!(changed, Changed::Stands(at) if *at == node));
    Ok("its process goes on".to_owned())
}

pub(super) fn is_killed(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    stage.world.kill(&node);
    stage.changed.push(Changed::Down(node));
    Ok("SIGKILL".to_owned())
}

pub(super) fn starts_again(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    stage.world.start(&node)?;
    stage.changed.retain(|changed| !matches!(changed, Changed::Down(at) if *at == node));
    Ok("it accepts requests".to_owned())
}

/// The center stands still, gets a newer directory and starts with it.
fn issue(
    stage: &mut Stage<'_>,
    change: impl FnOnce(&mut wire::Directory) -> bool,
) -> Result<(), Miss> {
    let config = stage.world.server(CENTER)?.config.clone();
    stage.world.kill(CENTER);
    let signed = stage.world.keeping(CENTER).map(|keeping| decree(&config, keeping, change));
    stage.world.start(CENTER)?;
    Ok(signed??)
}

/// Waits until every other server has the directory that says so.
fn arrives(
    stage: &mut Stage<'_>,
    but: &str,
    says: impl Fn(&wire::Directory) -> bool,
) -> Result<String, Miss> {
    let servers: Vec<String> = (stage.world.servers.iter().map(|server| server.node.clone()))
        .filter(|node| node != but)
        .collect();
    until_it_holds(TIER_PATIENCE, || {
        for node in &servers {
            let kept = stage.world.keeping(node)?.directory();
            if !kept.is_some_and(|directory| says(&directory)) {
                return Err(Miss::differs("known everywhere", format!("not yet at {node}")));
            }
        }
        Ok("known everywhere".to_owned())
    })
}

pub(super) fn revoke(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let card = slots.text("card").to_owned();
    issue(stage, |directory| {
        let row = directory.operators.iter_mut().find(|row| row.card.as_str() == card);
        row.map(|row| row.revoked = true).is_some()
    })?;
    let known = arrives(stage, "", |directory| {
        directory.operators.iter().any(|row| row.card.as_str() == card && row.revoked)
    })?;
    Ok(format!("a newer directory is signed, there is no command for that yet; {known}"))
}

pub(super) fn isolate(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    set_state(stage, &node, MemberState::Isolated)?;
    stage.changed.push(Changed::Isolated(node.clone()));
    let known = states(stage, &node, MemberState::Isolated)?;
    Ok(format!("a newer directory is signed, there is no command for that yet; {known}"))
}

pub(super) fn rejoin(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    set_state(stage, &node, MemberState::Active)?;
    stage.changed.retain(|changed| !matches!(changed, Changed::Isolated(at) if *at == node));
    let known = states(stage, &node, MemberState::Active)?;
    Ok(format!("a newer directory is signed; {known}"))
}

fn states(stage: &mut Stage<'_>, node: &str, state: MemberState) -> Result<String, Miss> {
    arrives(stage, node, |directory| {
        let found = directory.members.iter().find(|member| member.id.as_str() == node);
        found.is_some_and(|member| member.state == state)
    })
}

/// Cuts a member off, or lets it in again.
pub(super) fn set_state(stage: &mut Stage<'_>, node: &str, state: MemberState) -> Result<(), Miss> {
    issue(stage, |directory| {
        let member = directory.members.iter_mut().find(|member| member.id.as_str() == node);
        member.map(|member| member.state = state).is_some()
    })
}

/// One byte of the newest entries that a node has published.
pub(super) fn alter_ledger(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let folder = folder(stage, &node)?.join("ledger");
    let size = files::text(&folder.join("checkpoint"))?;
    let size = size.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
    let size = size.ok_or_else(|| Miss::Broken("its checkpoint has no size".to_owned()))?;
    let wanted = match size % 256 {
        0 => format!("{:03}", (size / 256).saturating_sub(1)),
        part => format!("{:03}.p/{part}", size / 256),
    };
    let file = folder.join("tile").join("entries").join(wanted);
    let genuine = files::bytes(&file)?;
    let mut altered = genuine.clone();
    let middle = altered.len() / 2;
    if let Some(byte) = altered.get_mut(middle) {
        *byte ^= 1;
    }
    files::write(&file, &altered)?;
    stage.changed.push(Changed::Altered(file, genuine));
    Ok(format!("byte {middle} of its newest published entries"))
}

fn folder(stage: &Stage<'_>, node: &str) -> Result<PathBuf, Miss> {
    let config = &stage.world.server(node)?.config;
    Ok(config.parent().map(PathBuf::from).unwrap_or_default())
}

/// Everything a node's disk holds but its token: the token is a device in service.
pub(super) fn steal_disk(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let from = folder(stage, &node)?;
    let to = stage.hideout()?.join(&node);
    for part in ["data", "ledger"] {
        files::copy_folder(&from.join(part), &to.join(part))?;
    }
    for part in ["config.toml", "log", "ledger.vkey"] {
        files::copy(&from.join(part), &to.join(part))?;
    }
    Ok(format!("{} files, without the token", files::below(&to)?.len()))
}

/// A thief with a node of another country's keys: the stolen files under another node's token.
pub(super) fn open_stolen(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let other = folder(stage, &stage.node(slots.text("other"))?)?;
    let Some(stolen) = stage.stolen.clone() else { return Err(nothing_stolen()) };
    for node in files::folders(&stolen)? {
        let at = stolen.join(node);
        for part in ["token", "token.pin"] {
            files::copy(&other.join(part), &at.join(part))?;
        }
        files::make_private_folder(&at)?;
        let config = at.join("config.toml");
        command(stage, &["fsck", "--json", "--config"], &[config.as_os_str()])?;
    }
    Ok(super::inquire::seen(&stage.last))
}

pub(super) fn nothing_stolen() -> Miss {
    Miss::Broken("nothing was stolen in this scenario".to_owned())
}

/// A command of the product; what came of it is the last thing.
fn command(stage: &mut Stage<'_>, words: &[&str], rest: &[&OsStr]) -> Result<(), Miss> {
    let words: Vec<&OsStr> = words.iter().map(OsStr::new).chain(rest.iter().copied()).collect();
    stage.last = Last::Command(stage.world.command(&words)?);
    Ok(())
}

fn succeeded(stage: &Stage<'_>, what: &str) -> Result<(), Miss> {
    match &stage.last {
        Last::Command(ran) if ran.code == Some(0) => Ok(()),
        Last::Command(ran) => Err(Miss::Broken(format!("{what}: {}", ran.said))),
        _ => Err(Miss::Broken(format!("{what} was not run"))),
    }
}

/// Backups go to a folder that somebody carries away; the shares stay with three custodians.
pub(super) fn steal_backup(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let config = stage.world.server(&node)?.config.clone();
    let ceremony = stage.world.dir.join("custodians");
    stage.ceremony = Some(ceremony.clone());
    command(stage, &["backup", "init", "--custodians", "3", "--out"], &[ceremony.as_os_str()])?;
    succeeded(stage, "backup init")?;
    let to = stage.hideout()?.join(&node);
    let key = ceremony.join("backup.pub");
    let rest = [config.as_os_str(), "--key".as_ref(), key.as_os_str(), "--to".as_ref()];
    command(stage, &["backup", "create", "--config"], &[&rest[..], &[to.as_os_str()]].concat())?;
    succeeded(stage, "backup create")?;
    Ok(format!("{} files", files::below(&to)?.len()))
}

/// A drill restores into a folder of its own and leaves nothing.
pub(super) fn custodians_open(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let config = stage.world.server(&node)?.config.clone();
    let (Some(stolen), Some(ceremony)) = (stage.stolen.clone(), stage.ceremony.clone()) else {
        return Err(nothing_stolen());
    };
    let from = stolen.join(&node);
    let shares: Vec<PathBuf> =
        (1..=slots.number("n")).map(|n| ceremony.join(format!("share-{n}.txt"))).collect();
    let mut rest = vec![config.as_os_str(), "--from".as_ref(), from.as_os_str()];
    for share in &shares {
        rest.extend([OsStr::new("--share"), share.as_os_str()]);
    }
    command(stage, &["backup", "drill", "--config"], &rest)?;
    Ok(super::inquire::seen(&stage.last))
}

/// A second process of a node that runs already, on the same files.
pub(super) fn start_second(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let config = stage.world.server(&node)?.config.clone();
    serve(stage, &node, &config)
}

/// A node with the configuration of another one.
pub(super) fn start_with_other(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let other = stage.node(slots.text("other"))?;
    let own = stage.world.server(&node)?.config.clone();
    let theirs = files::text(&stage.world.server(&other)?.config)?;
    let mixed = own.with_file_name("mixed.toml");
    // Its own name and place, and of everything else what the other one has.
    let own_text = files::text(&own)?;
    let line = |text: &str, name: &str| {
        let found = text.lines().find(|line| line.starts_with(name));
        found.unwrap_or_default().to_owned()
    };
    let mut text = theirs.clone();
    for name in ["node = ", "organ = ", "listen = "] {
        text = text.replacen(&line(&theirs, name), &line(&own_text, name), 1);
    }
    files::write(&mixed, text.as_bytes())?;
    files::make_private(&mixed)?;
    let served = serve(stage, &node, &mixed);
    files::remove(&mixed);
    served
}

fn serve(stage: &mut Stage<'_>, node: &str, config: &std::path::Path) -> Done {
    let role = node.split('-').next().unwrap_or(node).to_owned();
    let words: [&OsStr; 4] =
        [role.as_ref(), "serve".as_ref(), "--config".as_ref(), config.as_os_str()];
    stage.last = Last::Command(stage.world.command_within(&words, START_PATIENCE)?);
    Ok(super::inquire::seen(&stage.last))
}

pub(super) fn speaks_http(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let address = stage.world.listens(&node)?;
    let words = b"GET / HTTP/1.1\r\nHost: cs\r\n\r\n";
    stage.last = Last::Heard(tool::knock(address, words, KNOCK_PATIENCE)?);
    Ok(super::inquire::seen(&stage.last))
}

pub(super) fn foreign_terminal(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let (own, other) = (stage.node(slots.text("place"))?, stage.node(slots.text("other"))?);
    let came = stage.world.knock_as(&own, &other);
    stage.last = Last::Entered(came.map_err(|error| error.to_string()));
    Ok(super::inquire::seen(&stage.last))
}

/// What the product cannot do yet: there is no command of this name.
pub(super) fn has_command(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let name = slots.text("text");
    let words: Vec<&OsStr> = name.split(' ').chain(["--help"]).map(OsStr::new).collect();
    let ran = stage.world.command(&words)?;
    if ran.code == Some(0) {
        return Ok(format!("jukinet {name} is there"));
    }
    Err(Miss::NotThere(format!("there is no command jukinet {name}")))
}
