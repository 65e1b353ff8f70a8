//! `jukinet register`: the existing resident register (既存住基) of one municipality, its filings, its
//! papers and its outbox. Not a node: it speaks with no one; `jukinet notice` carries the outbox.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use law::code::RecordCode;
use law::people::Name;
use law::register::{
    AllotmentKind, CopyRequest, Extra, Fault, HouseholdId, RecordCopy, Requester, Rule,
};
use law::time::Date;
use serde_json::{Value, json};
use store::register::{AsOf, Filed, RegisterError, RegisterStore, Version};

use crate::register::{
    GivenCodes, RegisterConfig, notices_csv, outcome_json, read_filings, version_json, version_text,
};
use crate::talk::{Exit, Talk};
use crate::{clock, dice, disk};

/// A day's filings of a large city, papers not included.
const FILINGS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Options of `register`.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an empty register, and its sealed token where there is none
    #[command(after_help = "Example:\n  jukinet register init --config register.toml")]
    Init(Place),
    /// Apply filings (届出) and acts ex officio (職権)
    #[command(after_help = "Example:\n  jukinet register file --config register.toml --filing \
        2026-000123.toml\n\nThe forms are in docs/registers.md. A reception number that was \
        filed before changes nothing.\nExit codes: 0 all applied, 4 refused by a rule, 6 some \
        of several were refused.")]
    File(FileArgs),
    /// Show one record as of a day
    #[command(after_help = "Example:\n  jukinet register show --config register.toml --code \
        12345678903 --as-of 2024-04-01")]
    Show(ShowArgs),
    /// Show who lives in a household, as of a day
    #[command(after_help = "Example:\n  jukinet register household --config register.toml --id \
        H-0001")]
    Household(HouseholdArgs),
    /// Late filings, and households that owe one (法22条-25条, 53条)
    #[command(after_help = "Example:\n  jukinet register deadlines --config register.toml --on \
        2026-11-22")]
    Deadlines(DeadlinesArgs),
    /// Print a copy of a record (住民票の写し, 法12条)
    #[command(after_help = "Example:\n  jukinet register copy --config register.toml --code \
        12345678903 --with relationship,domicile --out copy.html\n\nLeft out unless asked for: \
        relationship, domicile, entitlements, code, other, nationality.\nThe code is never given \
        outside the household (法12条の2, 12条の3 7項).")]
    Copy(CopyArgs),
    /// Print the sealed notice that tells one person her record code (住民票コード通知票)
    #[command(after_help = "Example:\n  jukinet register allotment-notice --config \
        register.toml --code 12345678903 --out notice.html\n\nOne notice for each person, never \
        one for a household; the code stands inside the fold.")]
    AllotmentNotice(AllotmentArgs),
    /// Write the notices that the communication server has not taken, or mark them taken
    #[command(after_help = "Examples:\n  jukinet register outbox --config register.toml --out \
        changes.csv\n  jukinet notice --config municipality-132152.toml --file changes.csv \
        --rejects rejected.csv --json > result.json\n  jukinet register outbox --config \
        register.toml --mark-sent result.json")]
    Outbox(OutboxArgs),
    /// Erase deleted records whose term is over (令34条)
    #[command(after_help = "Example:\n  jukinet register erase --config register.toml --on \
        2026-11-22")]
    Erase(DeadlinesArgs),
}

#[derive(Debug, Args)]
struct Place {
    /// The register's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct FileArgs {
    #[command(flatten)]
    place: Place,
    /// The filings: TOML or JSON, one or a list
    #[arg(long, value_name = "FILE")]
    filing: PathBuf,
}

#[derive(Args)]
struct ShowArgs {
    #[command(flatten)]
    place: Place,
    /// The record code: 11 digits
    #[arg(long)]
    code: String,
    /// What held on this day; today when absent
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// Every version, oldest first
    #[arg(long, conflicts_with = "as_of")]
    history: bool,
}

#[derive(Debug, Args)]
struct HouseholdArgs {
    #[command(flatten)]
    place: Place,
    /// The household's number in the register
    #[arg(long)]
    id: String,
    /// What held on this day; today when absent
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
}

#[derive(Debug, Args)]
struct DeadlinesArgs {
    #[command(flatten)]
    place: Place,
    /// The day
    #[arg(long, value_name = "DATE")]
    on: String,
}

#[derive(Args)]
struct CopyArgs {
    #[command(flatten)]
    place: Place,
    /// The record code: 11 digits
    #[arg(long)]
    code: String,
    /// What is asked for specially
    #[arg(long, value_delimiter = ',', value_name = "ITEM")]
    with: Vec<String>,
    /// Asked for by someone outside the household (法12条の3)
    #[arg(long)]
    third_party: bool,
    /// Asked for by an organ of the state or of a local body (法12条の2)
    #[arg(long, conflicts_with = "third_party")]
    organ: bool,
    /// Where the page is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
struct AllotmentArgs {
    #[command(flatten)]
    place: Place,
    /// The record code of one person
    #[arg(long, value_delimiter = ',', required = true)]
    code: Vec<String>,
    /// Where the page is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct OutboxArgs {
    #[command(flatten)]
    place: Place,
    /// Where the notices are written: CSV for `jukinet notice`
    #[arg(long, value_name = "FILE", required_unless_present = "mark_sent")]
    out: Option<PathBuf>,
    /// The day up to which changes are due; today when absent
    #[arg(long, value_name = "DATE")]
    on: Option<String>,
    /// What `jukinet notice --json` printed about the file
    #[arg(long, value_name = "RESULT", conflicts_with = "out")]
    mark_sent: Option<PathBuf>,
}

macro_rules! redacted {
    ($($name:ident),*) => {$(
        /// A record code is not printed by accident.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
redacted!(ShowArgs, CopyArgs, AllotmentArgs);

/// Why a command ended early.
enum Stop {
    Usage(String),
    Failed(String),
    Refused(Fault),
}

impl From<RegisterError> for Stop {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Refused(fault) => Self::Refused(fault),
            RegisterError::Store(error) => Self::Failed(error.to_string()),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Failed(error.to_string())
}

fn usage(error: impl std::fmt::Display) -> Stop {
    Stop::Usage(error.to_string())
}

pub fn run(args: &RegisterArgs, talk: Talk) -> Exit {
    let (place, result) = match &args.verb {
        Verb::Init(place) => (place, init(place, talk)),
        Verb::File(args) => (&args.place, file(args, talk)),
        Verb::Show(args) => (&args.place, show(args, talk)),
        Verb::Household(args) => (&args.place, household(args, talk)),
        Verb::Deadlines(args) => (&args.place, deadlines(args, talk)),
        Verb::Copy(args) => (&args.place, copy(args, talk)),
        Verb::AllotmentNotice(args) => (&args.place, allotment_notice(args, talk)),
        Verb::Outbox(args) => (&args.place, outbox(args, talk)),
        Verb::Erase(args) => (&args.place, erase(args, talk)),
    };
    match result {
        Ok(exit) => exit,
        Err(Stop::Usage(why)) => {
            talk.fail(why);
            Exit::Usage
        }
        Err(Stop::Failed(why)) => {
            talk.fail(why);
            Exit::Failed
        }
        Err(Stop::Refused(fault)) => {
            if place.json {
                talk.json(&json!({"refusal": refusal(fault)}));
            }
            talk.fail(fault);
            Exit::Refused
        }
    }
}

fn refusal(fault: Fault) -> Value {
    let Fault { field, rule } = fault;
    json!({"rule": rule.key(), "law": rule.law(), "hint": rule.remedy(), "field": field})
}

fn open(place: &Place) -> Result<(RegisterConfig, RegisterStore), Stop> {
    let config = RegisterConfig::load(&place.config).map_err(usage)?;
    let register = config.open().map_err(Stop::Failed)?;
    Ok((config, register))
}

fn day(text: Option<&str>) -> Result<Date, Stop> {
    match text {
        None => Ok(clock::now().date_in_japan()),
        Some(text) => Date::parse(text).map_err(usage),
    }
}

fn code(text: &str) -> Result<RecordCode, Stop> {
    RecordCode::parse(text).map_err(usage)
}

fn init(place: &Place, talk: Talk) -> Result<Exit, Stop> {
    let config = RegisterConfig::load(&place.config).map_err(usage)?;
    config.create().map_err(Stop::Failed)?;
    if place.json {
        talk.json(&json!({"municipality": config.municipality.as_str()}));
    } else {
        talk.say(format!("an empty register of {}", config.place()));
    }
    Ok(Exit::Ok)
}

fn file(args: &FileArgs, talk: Talk) -> Result<Exit, Stop> {
    let (_, mut register) = open(&args.place)?;
    let text = disk::read_text(&args.filing, FILINGS_BYTES_MAX).map_err(usage)?;
    let filings = read_filings(&text, &mut GivenCodes)
        .map_err(|fault| usage(format!("{}: {fault}", args.filing.display())))?;
    let (count, mut refused, mut told) = (filings.len(), 0, Vec::new());
    for filing in filings {
        let (number, word) = match filing {
            Err(fault) => {
                refused += 1;
                talk.fail(format!("{}  {fault}", fault.number.as_deref().unwrap_or("?")));
                let why = json!({"rule": "form", "law": "法27条", "hint": fault.problem,
                    "field": fault.field});
                (fault.number, json!({"refusal": why}))
            }
            Ok(filing) => {
                let number = filing.number.as_str().to_owned();
                let word = match register.file(&filing, clock::now(), &mut dice::fill) {
                    Ok(Filed::Done(outcome)) => json!({"applied": outcome_json(&outcome)}),
                    Ok(Filed::Before) => json!({"filed_before": true}),
                    Err(RegisterError::Store(error)) => return Err(failed(error)),
                    Err(RegisterError::Refused(fault)) => {
                        refused += 1;
                        talk.fail(format!("{number}  {fault}"));
                        json!({"refusal": refusal(fault)})
                    }
                };
                if !args.place.json && word.get("refusal").is_none() {
                    talk.data(format!("{number}  {word}"));
                }
                (Some(number), word)
            }
        };
        told.push(json!({"number": number, "result": word}));
    }
    if args.place.json {
        talk.json(&json!({"filings": told, "refused": refused}));
    }
    Ok(match refused {
        0 => Exit::Ok,
        all if all == count => Exit::Refused,
        _ => Exit::Partial,
    })
}

fn found(register: &RegisterStore, code: &RecordCode, at: AsOf) -> Result<Version, Stop> {
    let version = register.by_code(code, at).map_err(failed)?;
    version.ok_or(Stop::Refused(Fault::new("code", Rule::NotRecorded)))
}

fn tell(place: &Place, versions: &[Version], talk: Talk) -> Exit {
    if place.json {
        let all: Vec<Value> = versions.iter().map(version_json).collect();
        talk.json(&json!({"records": all}));
    } else {
        versions.iter().for_each(|version| talk.data(version_text(version)));
    }
    Exit::Ok
}

fn show(args: &ShowArgs, talk: Talk) -> Result<Exit, Stop> {
    let code = code(&args.code)?;
    let at = AsOf::day(day(args.as_of.as_deref())?);
    let (_, register) = open(&args.place)?;
    let versions = if args.history {
        register.history(&code).map_err(failed)?
    } else {
        vec![found(&register, &code, at)?]
    };
    Ok(tell(&args.place, &versions, talk))
}

fn household(args: &HouseholdArgs, talk: Talk) -> Result<Exit, Stop> {
    let id = HouseholdId::parse(&args.id).ok_or_else(|| usage("--id is no household number"))?;
    let at = AsOf::day(day(args.as_of.as_deref())?);
    let (_, register) = open(&args.place)?;
    let members = register.household(&id, at).map_err(failed)?;
    Ok(tell(&args.place, &members, talk))
}

fn deadlines(args: &DeadlinesArgs, talk: Talk) -> Result<Exit, Stop> {
    let on = day(Some(&args.on))?;
    let (_, register) = open(&args.place)?;
    let late = register.late_filings(on).map_err(failed)?;
    let open = register.open_households(on).map_err(failed)?;
    let late: Vec<Value> = late
        .iter()
        .map(|each| {
            json!({"number": each.number, "act": each.act, "filed_on": each.filed_on.to_string(),
                "article": each.article, "due": each.due.to_string(), "days_late": each.days})
        })
        .collect();
    let open: Vec<Value> = open
        .iter()
        .map(|each| {
            json!({"household": each.household.as_str(), "article": "法25条",
                "due": each.until.to_string(), "overdue": each.until < on,
                "number": each.number})
        })
        .collect();
    if args.place.json {
        talk.json(&json!({"late": late, "householder_due": open}));
    } else {
        late.iter().for_each(|each| talk.data(format!("late  {each}")));
        open.iter().for_each(|each| talk.data(format!("owed  {each}")));
        talk.say("a late filing without a good reason: up to 50,000 yen 過料 (法53条2項)");
    }
    Ok(Exit::Ok)
}

/// The householder of a record's household: of a deleted one, on the day before its deletion.
fn householder(
    register: &RegisterStore,
    version: &Version,
    on: Date,
) -> Result<Option<Name>, Stop> {
    let resident = &version.resident;
    let day = match resident.deletion() {
        Some(deletion) => deletion.on.add_days(-1).map_err(failed)?,
        None => on,
    };
    let members = register.household(resident.household(), AsOf::day(day)).map_err(failed)?;
    let head = members.into_iter().find(|member| member.resident.is_householder());
    Ok(head.map(|head| head.resident.name().clone()))
}

fn copy(args: &CopyArgs, talk: Talk) -> Result<Exit, Stop> {
    let code = code(&args.code)?;
    let unknown = "--with takes relationship, domicile, entitlements, code, other, nationality";
    let with = args.with.iter().map(|key| Extra::parse_key(key).ok_or_else(|| usage(unknown)));
    let with = with.collect::<Result<Vec<_>, _>>()?;
    let requester = match (args.third_party, args.organ) {
        (true, _) => Requester::ThirdParty,
        (_, true) => Requester::Organ,
        _ => Requester::Household,
    };
    let (config, register) = open(&args.place)?;
    let on = day(None)?;
    let version = found(&register, &code, AsOf::day(on))?;
    let head = householder(&register, &version, on)?;
    let request = CopyRequest { requester, with };
    let copy = RecordCopy::of(&version.resident, head.as_ref(), &request).map_err(Stop::Refused)?;
    let page = desk::paper::record_copy(&copy, &config.place(), on).map_err(failed)?;
    written(&args.place, &args.out, &page, talk)
}

fn allotment_notice(args: &AllotmentArgs, talk: Talk) -> Result<Exit, Stop> {
    let [text] = args.code.as_slice() else {
        return Err(Stop::Refused(Fault::new("code", Rule::OnePersonOnly)));
    };
    let code = code(text)?;
    let (config, register) = open(&args.place)?;
    let on = day(None)?;
    let version = found(&register, &code, AsOf::day(on))?;
    let history = register.history(&code).map_err(failed)?;
    let first = history.iter().find(|version| *version.resident.code() == code);
    let kind = match first.map(|version| version.act.as_str()) {
        Some("code-change") => AllotmentKind::Changed,
        Some("code-correction") => AllotmentKind::Corrected,
        _ => AllotmentKind::New,
    };
    let allotment = desk::paper::Allotment {
        kind,
        epoch: config.epoch,
        name: version.resident.name(),
        address: &version.resident.four().address,
        code: &code,
    };
    let page = desk::paper::allotment(&allotment, &config.place(), on).map_err(failed)?;
    written(&args.place, &args.out, &page, talk)
}

fn written(place: &Place, out: &Path, page: &str, talk: Talk) -> Result<Exit, Stop> {
    disk::write_private(out, page.as_bytes()).map_err(failed)?;
    if place.json {
        talk.json(&json!({"file": out.display().to_string()}));
    } else {
        talk.say(format!("written: {}", out.display()));
    }
    Ok(Exit::Ok)
}

fn outbox(args: &OutboxArgs, talk: Talk) -> Result<Exit, Stop> {
    let on = day(args.on.as_deref())?;
    let (_, mut register) = open(&args.place)?;
    if let Some(result) = &args.mark_sent {
        return mark_sent(&mut register, result, &args.place, talk);
    }
    let rows = register.outbox(on).map_err(failed)?;
    let waiting = register.outbox_count().map_err(failed)?;
    if let Some(out) = &args.out {
        let bytes = notices_csv(&rows).map_err(Stop::Failed)?;
        disk::write_private(out, &bytes).map_err(failed)?;
    }
    if args.place.json {
        talk.json(&json!({"rows": rows.len(), "waiting": waiting}));
    } else {
        talk.data(format!("{} notices written, {waiting} wait", rows.len()));
    }
    Ok(Exit::Ok)
}

/// The rows that the server refused stand in its file of rejects, by their line in ours.
fn mark_sent(
    register: &mut RegisterStore,
    result: &Path,
    place: &Place,
    talk: Talk,
) -> Result<Exit, Stop> {
    let text = disk::read_text(result, FILINGS_BYTES_MAX).map_err(usage)?;
    let told: Value = serde_json::from_str(&text).map_err(|_| usage("the result is not JSON"))?;
    let number = |name: &str| told.get(name).and_then(Value::as_u64);
    let (Some(rows), Some(rejected)) = (number("rows"), number("rejected")) else {
        return Err(usage("the result has no `rows` and `rejected`; give what notice --json said"));
    };
    let mut refused = Vec::new();
    if rejected > 0 {
        let file = told.get("rejects").and_then(Value::as_str).unwrap_or_default();
        let text = disk::read_text(Path::new(file), FILINGS_BYTES_MAX).map_err(usage)?;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for record in reader.records() {
            let line = record.ok().and_then(|row| row.get(0)?.parse::<usize>().ok());
            // Line 1 is the header.
            let at = line.and_then(|line| line.checked_sub(2));
            refused.push(at.ok_or_else(|| usage("the file of rejects has another form"))?);
        }
        if u64::try_from(refused.len()).ok() != Some(rejected) {
            return Err(usage("the file of rejects is of another sending"));
        }
    }
    let rows = usize::try_from(rows).map_err(failed)?;
    let marked = register.mark_sent(rows, &refused).map_err(failed)?;
    if place.json {
        talk.json(&json!({"taken": marked.taken, "refused": marked.refused}));
    } else {
        talk.data(format!("{} taken, {} refused and kept", marked.taken, marked.refused));
    }
    Ok(if marked.refused > 0 { Exit::Partial } else { Exit::Ok })
}

fn erase(args: &DeadlinesArgs, talk: Talk) -> Result<Exit, Stop> {
    let on = day(Some(&args.on))?;
    let (_, mut register) = open(&args.place)?;
    let erased = register.erase_deleted(on).map_err(failed)?;
    if args.place.json {
        talk.json(&json!({"records": erased.records, "versions": erased.versions}));
    } else {
        talk.data(format!("{} records erased, {} versions", erased.records, erased.versions));
    }
    Ok(Exit::Ok)
}
