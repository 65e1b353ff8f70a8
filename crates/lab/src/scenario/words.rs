//! The phrases of acts: people, filings, inquiries, faults. Not how a line is compared with them
//! (`vocabulary`), not those of outcomes.

use super::vocabulary::{Harm, Phrase, phrase};
use super::{faults, inquire, register};

const CAST: (&str, Harm) = ("people", Harm::Looks);
const FILE: (&str, Harm) = ("register", Harm::Changes);
const FILED: (&str, Harm) = ("register", Harm::Looks);
const ASK: (&str, Harm) = ("inquiries", Harm::Looks);
const LOAD: (&str, Harm) = ("inquiries", Harm::Changes);
const STILL: (&str, Harm) = ("faults", Harm::Changes);
const BREAK: (&str, Harm) = ("faults", Harm::Breaks);
const DOOR: (&str, Harm) = ("faults", Harm::Looks);

/// People and what is filed about them.
pub(super) const REGISTER: &[Phrase] = &[
    phrase(
        CAST,
        "{who} is a resident of {place}",
        "{who}は{place}の住民である",
        "A synthetic resident of the municipality, drawn by the seed, plays this part.",
        register::cast,
    ),
    phrase(
        CAST,
        "{group} are {n} residents of {place}",
        "{group}は{place}の住民{n}人である",
        "So many residents, drawn by the seed.",
        register::cast_many,
    ),
    phrase(
        CAST,
        "{group} live in one dormitory, and more than fifty of their names begin alike",
        "{group}は一つの寮に住み、五十人を超える氏名が同じ字で始まる",
        "More residents under one address than may be provided in one answer.",
        register::cast_crowd,
    ),
    phrase(
        FILE,
        "{who} is born in {place}",
        "{who}が{place}で生まれる",
        "The register system takes a record code out of the pool and notifies the birth.",
        register::born,
    ),
    phrase(
        FILE,
        "the death of {who} is filed",
        "{who}の死亡が届け出られる",
        "The register system notifies the death.",
        register::died,
    ),
    phrase(
        FILE,
        "{who} moves within the municipality",
        "{who}が市内で転居する",
        "The register system notifies another address in the same municipality.",
        register::moves_within,
    ),
    phrase(
        FILE,
        "{who} has the record code changed",
        "{who}が住民票コードの変更を請求する",
        "The register system takes a new code out of the pool and notifies the change.",
        register::changes_code,
    ),
    phrase(
        FILE,
        "the moving-out of {who} is filed at {place}",
        "{who}の転出が{place}に届け出られる",
        "The former municipality's register system notifies the moving-out.",
        register::moves_out,
    ),
    phrase(
        FILE,
        "the moving-in of {who} from {other} is filed at {place}",
        "{who}の{other}からの転入が{place}に届け出られる",
        "The new municipality's register system notifies the moving-in, with where from.",
        register::moves_in,
    ),
    phrase(
        FILE,
        "the same notice is sent once more",
        "同じ通知がもう一度送られる",
        "The last row of a register system is handed over again.",
        register::again,
    ),
    phrase(
        FILED,
        "the notice is taken",
        "通知は受け付けられる",
        "The row was accepted and has a number.",
        register::is_taken,
    ),
    phrase(
        FILED,
        "the notice is known already",
        "通知は既に受け付けられている",
        "The row was acknowledged without being applied again.",
        register::is_known,
    ),
    phrase(
        FILED,
        "the moving-in waits",
        "転入は保留される",
        "The row is kept and waits for the former municipality's word.",
        register::waits,
    ),
];

/// What operators do at terminals.
pub(super) const INQUIRIES: &[Phrase] = &[
    phrase(
        ASK,
        "the clerk of {place} asks about {who} by {keys} for affair {affair}, case {case}",
        "{place}の職員が{who}を{keys}で照会する、事務{affair}、事案{case}",
        "One inquiry, signed by the ordinary operator card of the place.",
        inquire::one,
    ),
    phrase(
        ASK,
        "somebody at {place} asks about {who} with the card {card} for affair {affair}, case \
         {case}",
        "{place}の端末で{who}をカード{card}で照会する、事務{affair}、事案{case}",
        "One inquiry by record code with another card file of the country, its PIN known.",
        inquire::with_card,
    ),
    phrase(
        ASK,
        "the clerk of {place} asks about everybody of {group} one by one for affair {affair}, case \
         {case}",
        "{place}の職員が{group}を一人ずつ照会する、事務{affair}、事案{case}",
        "Inquiries by record code, one after another, until one is not answered.",
        inquire::one_by_one,
    ),
    phrase(
        ASK,
        "the clerk of {place} asks about everybody of {group} at once, {times} times over, for \
         affair {affair}, case {case}",
        "{place}の職員が{group}を一度に{times}回ずつ照会する、事務{affair}、事案{case}",
        "All inquiries are on their way in one session at the same time.",
        inquire::many,
    ),
    phrase(
        LOAD,
        "the clerk of {place} asks about everybody of {group} at once, {times} times over, for \
         affair {affair}, case {case}, while {node} stands still for {ms} ms and whoever waits \
         {patience} ms gives up and asks again",
        "{place}の職員が{group}を一度に{times}回ずつ照会する、事務{affair}、事案{case}、その間{node}は\
         {ms}ミリ秒止まり、{patience}ミリ秒待った者は諦めて照会し直す",
        "Overload with timeouts: replies to what was given up arrive among the others.",
        inquire::many_under_load,
    ),
    phrase(
        ASK,
        "{times} times at the same moment {place} asks about {who} for affair {affair} and {other} \
         about {whom} for affair {second}, case {case}",
        "{times}回同時に{place}が{who}を事務{affair}で、{other}が{whom}を事務{second}で照会する、\
         事案{case}",
        "Two clerks at two terminals, every time at once.",
        inquire::two_at_once,
    ),
    phrase(
        ASK,
        "a terminal of {place} that asked about {who} is handed the answer about {whom}, affair \
         {affair}, case {case}",
        "{who}を照会した{place}の端末に{whom}の回答が渡される、事務{affair}、事案{case}",
        "Two inquiries of one terminal; the second one's true answer is given to the first.",
        inquire::crossed,
    ),
    phrase(
        ASK,
        "the desk of {place} opens the records of {who}",
        "{place}の窓口が{who}の提供記録を開く",
        "A look at who got a resident's data, with the ordinary card of the place.",
        inquire::opens_view,
    ),
    phrase(
        ASK,
        "somebody at {place} opens the records of {who} with the card {card}",
        "{place}の端末で{who}の提供記録をカード{card}で開く",
        "The same look with another card file of the country, its PIN known.",
        inquire::opens_view,
    ),
];

/// What goes wrong.
pub(super) const FAULTS: &[Phrase] = &[
    phrase(
        STILL,
        "{node} stands still",
        "{node}が止まったまま接続を保つ",
        "The process is stopped; whoever speaks with it waits.",
        faults::stands_still,
    ),
    phrase(
        STILL,
        "{node} goes on",
        "{node}が再び動く",
        "The stopped process goes on.",
        faults::goes_on,
    ),
    phrase(
        BREAK,
        "{node} is killed",
        "{node}が落ちる",
        "SIGKILL, without a word.",
        faults::is_killed,
    ),
    phrase(
        BREAK,
        "{node} starts again",
        "{node}が再び起動する",
        "The same process on the same files.",
        faults::starts_again,
    ),
    phrase(
        BREAK,
        "the card {card} is lost and the center revokes it",
        "カード{card}が紛失し、センターが失効させる",
        "A newer directory is signed with the center's token and the center starts with it.",
        faults::revoke,
    ),
    phrase(
        BREAK,
        "the center cuts {node} off",
        "センターが{node}を切り離す",
        "A newer directory isolates the member.",
        faults::isolate,
    ),
    phrase(
        BREAK,
        "the center lets {node} in again",
        "センターが{node}を再び接続する",
        "A newer directory lets the member in.",
        faults::rejoin,
    ),
    phrase(
        BREAK,
        "one byte of the ledger of {node} is altered on its disk",
        "{node}の台帳の一バイトが書き換えられる",
        "In the newest entries that it has published; put back at the end.",
        faults::alter_ledger,
    ),
    phrase(
        BREAK,
        "the disk of {node} is stolen",
        "{node}のディスクが盗まれる",
        "Store, ledger, log and configuration are copied, not the token.",
        faults::steal_disk,
    ),
    phrase(
        BREAK,
        "the thief opens it with the token of {other}",
        "盗んだ者が{other}のトークンで開く",
        "`jukinet fsck` on the stolen files with a genuine token of another node.",
        faults::open_stolen,
    ),
    phrase(
        BREAK,
        "a backup of {node} is made and stolen",
        "{node}のバックアップが作られ、盗まれる",
        "`jukinet backup create` for three custodians; somebody carries the folder away.",
        faults::steal_backup,
    ),
    phrase(
        BREAK,
        "{n} of the custodians of {node} open it",
        "{node}の保管者{n}人がそれを開く",
        "`jukinet backup drill` with so many shares and the node's token.",
        faults::custodians_open,
    ),
    phrase(
        BREAK,
        "a second process of {node} is started on the same files",
        "{node}の二つ目のプロセスが同じファイルで起動される",
        "While the first one runs.",
        faults::start_second,
    ),
    phrase(
        BREAK,
        "{node} is started with the configuration of {other}",
        "{node}が{other}の設定で起動される",
        "Under its own name and address, with everything else of the other's.",
        faults::start_with_other,
    ),
    phrase(
        DOOR,
        "somebody on the network of {node} speaks HTTP to it",
        "{node}にHTTPで話しかける",
        "A GET in the clear to the node's port.",
        faults::speaks_http,
    ),
    phrase(
        DOOR,
        "a terminal of {place} knocks at the server of {other}",
        "{place}の端末が{other}のサーバに接続を試みる",
        "With its own genuine key, at a server that does not know it.",
        faults::foreign_terminal,
    ),
];
