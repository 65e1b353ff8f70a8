//! The rules of a firewall: what they say, and what a kernel that has loaded them lets through
//! between machines in network namespaces.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jukinet::config::{Config, NodeConfig, TerminalConfig, parse};
use jukinet::firewall::nft::Ruleset;
use jukinet::firewall::{FirewallError, Plan};
use law::affair::Epoch;
use law::time::Timestamp;
use wire::{Directory, Member, MemberState, NodeId, Role};

const OFFICE: &str = "10.13.1.0/24";

fn example(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    parse(&path, &std::fs::read_to_string(&path).unwrap()).config.unwrap()
}

fn node(name: &str) -> NodeConfig {
    match example(name) {
        Config::Node(node) => *node,
        other => panic!("{name} is {other:?}"),
    }
}

fn terminal() -> TerminalConfig {
    match example("terminal.toml") {
        Config::Terminal(terminal) => *terminal,
        other => panic!("{other:?}"),
    }
}

fn member(id: &str, role: Role, address: &str, exchange: Option<&str>) -> Member {
    Member {
        id: NodeId::parse(id).unwrap(),
        role,
        organ: None,
        pin: [0; 32],
        address: address.to_owned(),
        exchange: exchange.map(|id| NodeId::parse(id).unwrap()),
        state: MemberState::Active,
        ledger_vkey: None,
    }
}

fn directory() -> Directory {
    let national = Some("exchange-national");
    let tokyo = Some("exchange-13");
    Directory {
        serial: 7,
        issued_at: Timestamp(0),
        expires_at: Timestamp(600_000),
        members: vec![
            member("center", Role::Center, "10.0.0.5:7001", national),
            member("agency-1", Role::Agency, "10.0.7.5:7001", national),
            member("prefecture-13", Role::Prefecture, "10.13.0.5:7001", tokyo),
            member("municipality-132152", Role::Municipality, "10.13.1.5:7001", tokyo),
            member("municipality-132047", Role::Municipality, "[fd13:2::5]:7001", tokyo),
            member("exchange-national", Role::Exchange, "10.0.0.1:7000", None),
            member("exchange-13", Role::Exchange, "10.13.0.1:7000", None),
            member("exchange-20", Role::Exchange, "10.20.0.1:7000", None),
        ],
        operators: Vec::new(),
        agreements: Vec::new(),
        epoch: Epoch::Founding,
    }
}

fn of_node(name: &str, lan: &[&str]) -> Result<Plan, FirewallError> {
    let lan: Vec<_> = lan.iter().map(|net| net.parse().unwrap()).collect();
    Plan::of_node(&node(name), &directory(), &lan)
}

#[test]
fn rules_are_a_document() {
    let plans = [
        of_node("municipality.toml", &[OFFICE]).unwrap(),
        of_node("exchange.toml", &[]).unwrap(),
        Plan::of_terminal(&terminal()),
    ];
    let text = plans.map(|plan| Ruleset(&plan).to_string()).join("\n");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/firewall.txt");
    if std::env::var_os("JUKINET_GOLDEN_WRITE").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(kept == text, "run with JUKINET_GOLDEN_WRITE=1 and read the difference in git");
}

/// A member that is cut off disappears from every other machine's rules, and gets none itself.
#[test]
fn an_isolated_member_is_in_nobodys_rules() {
    let isolate = |id: &str| {
        let mut directory = directory();
        let found = directory.members.iter_mut().find(|member| member.id.as_str() == id);
        found.unwrap().state = MemberState::Isolated;
        directory
    };
    let exchange = node("exchange.toml");
    let about = |plan: &Plan, id: &str| {
        plan.incoming.iter().chain(&plan.outgoing).any(|opening| opening.why == id)
    };
    let id = "municipality-132152";
    assert!(about(&Plan::of_node(&exchange, &directory(), &[]).unwrap(), id));
    let plan = Plan::of_node(&exchange, &isolate(id), &[]).unwrap();
    assert!(!about(&plan, id) && about(&plan, "prefecture-13"));
    let own = Plan::of_node(&node("municipality.toml"), &isolate(id), &[OFFICE.parse().unwrap()]);
    let own = own.unwrap();
    assert!(own.incoming.is_empty() && own.outgoing.is_empty(), "its own table drops everything");
}

#[test]
fn an_office_network_is_named_and_is_no_wider_than_an_office() {
    let said = |lan: &[&str]| of_node("municipality.toml", lan).unwrap_err().to_string();
    assert!(said(&[]).contains("name its network with --lan"));
    assert!(said(&["0.0.0.0/0"]).contains("wider than an office"));
    assert!(said(&["10.0.0.0/15"]).contains("at least /16"));
    assert!(said(&["fd00::/47"]).contains("at least /48"));
    let unused = of_node("exchange.toml", &[OFFICE]).unwrap_err();
    assert!(unused.to_string().contains("leave it out"));
    let mut strange = directory();
    strange.members.retain(|member| member.id.as_str() != "exchange-13");
    let plan = Plan::of_node(&node("exchange.toml"), &strange, &[]);
    assert!(matches!(plan, Err(FirewallError::NotListed { .. })));
}

/// Where the machines of the test stand.
const MACHINES: [(&str, &str); 5] = [
    ("municipality", "10.13.1.5"),
    ("exchange", "10.13.0.1"),
    ("prefecture", "10.13.0.5"),
    ("office", "10.13.1.20"),
    ("stranger", "10.13.9.9"),
];
/// What somebody listens on everywhere: the network's ports, and what should not be reached.
const PORTS: [u16; 4] = [7_000, 7_001, 22, 53];

/// One segment with all machines; rules are loaded in two of them; each tries to reach each.
const SCRIPT: &str = r#"
set -eu
mount -t tmpfs tmpfs /run
ip netns add segment
ip -n segment link add bridge type bridge
ip -n segment link set bridge up
for pair in $MACHINES; do
    name=${pair%=*} address=${pair#*=}
    ip netns add "$name"
    ip -n "$name" link add eth0 type veth peer name "to-$name" netns segment
    ip -n segment link set "to-$name" master bridge up
    ip -n "$name" address add "$address/16" dev eth0
    ip -n "$name" link set lo up
    ip -n "$name" link set eth0 up
    mkfifo "$HERE/$name.up"
    ip netns exec "$name" "$EXE" --ignored --exact --nocapture firewall::inside_listening \
        > "$HERE/$name.up" &
    grep -q -m1 "everybody may call" "$HERE/$name.up"
done
ip netns exec municipality nft -f "$HERE/municipality.nft"
ip netns exec municipality nft -f "$HERE/municipality.nft"
ip netns exec exchange nft -f "$HERE/exchange.nft"
calls=""
for pair in $MACHINES; do
    name=${pair%=*}
    ip netns exec "$name" env FROM="$name" "$EXE" --ignored --exact --nocapture \
        firewall::inside_calling > "$HERE/$name.calls" &
    calls="$calls $!"
done
for call in $calls; do wait "$call"; done
cat "$HERE"/*.calls
ip netns exec municipality nft list counter inet jukinet refused_in
kill $(jobs -p)
"#;

/// The set of open (from, to, port) between machines of which two have loaded their rules is the
/// one that the table and the directory give (the allow-list), no more and no less.
#[test]
fn a_kernel_lets_through_what_the_table_allows_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for (name, plan) in [
        ("municipality", of_node("municipality.toml", &[OFFICE]).unwrap()),
        ("exchange", of_node("exchange.toml", &[]).unwrap()),
    ] {
        let file = folder.path().join(format!("{name}.nft"));
        std::fs::write(file, Ruleset(&plan).to_string()).unwrap();
    }
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let machines = MACHINES.map(|(name, address)| format!("{name}={address}")).join(" ");
    let ran = command
        .args(["--net", "--mount", "bash", "-c", SCRIPT])
        .env("MACHINES", machines)
        .env("HERE", folder.path())
        .env("EXE", std::env::current_exe().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let open: BTreeSet<String> =
        out.lines().filter_map(|line| line.strip_prefix("open ")).map(str::to_owned).collect();
    let guarded = |name: &str| ["municipality", "exchange"].contains(&name);
    let mut wanted = BTreeSet::new();
    for (from, _) in MACHINES {
        for (to, _) in MACHINES.iter().filter(|(to, _)| *to != from) {
            for port in PORTS {
                // Between machines without rules everything is open, so that the others mean
                // something.
                let let_through = match (from, *to, port) {
                    ("exchange", "municipality", 7_001)
                    | ("office", "municipality", 7_001)
                    | ("municipality" | "prefecture", "exchange", 7_000)
                    | ("exchange", "prefecture", 7_001) => true,
                    _ => !guarded(from) && !guarded(to),
                };
                if let_through {
                    wanted.insert(format!("{from} {to} {port}"));
                }
            }
        }
    }
    assert_eq!(open, wanted, "{out}\n{err}");
    let refused = out.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(refused.unwrap_or("0").parse::<u64>().unwrap() > 0, "{out}");
}

#[test]
#[ignore = "started by a_kernel_lets_through_what_the_table_allows_and_nothing_else"]
fn inside_listening() {
    let listeners = PORTS.map(|port| TcpListener::bind(("0.0.0.0", port)).unwrap());
    println!("everybody may call");
    let waiting = listeners.map(|listener| {
        std::thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                drop(caller);
            }
        })
    });
    waiting.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
#[ignore = "started by a_kernel_lets_through_what_the_table_allows_and_nothing_else"]
fn inside_calling() {
    let from = std::env::var("FROM").unwrap();
    let mut calls = Vec::new();
    for (to, address) in MACHINES.into_iter().filter(|(to, _)| *to != from) {
        for port in PORTS {
            let (from, at) = (from.clone(), SocketAddr::new(address.parse().unwrap(), port));
            calls.push(std::thread::spawn(move || {
                let reached = TcpStream::connect_timeout(&at, Duration::from_millis(1_500));
                if let Ok(mut stream) = reached {
                    let _ = stream.read(&mut [0]);
                    println!("open {from} {to} {port}");
                }
            }));
        }
    }
    calls.into_iter().for_each(|thread| thread.join().unwrap());
}
