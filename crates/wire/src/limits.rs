//! Every limit of the wire in one place, each with its reason. The schema repeats them for vendors.

use law::organ::CARD_ID_BYTES_MAX;
use law::people::{
    ADDRESS_LENGTH_CHARS_MAX, FORMER_SURNAME_LENGTH_CHARS_MAX, NAME_LENGTH_CHARS_MAX,
};
use law::query::PROVISION_PERSONS_MAX;

/// One frame's protobuf. A batch of notices fits with room; what is larger is refused before a byte
/// of it is kept.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Width of the length in front of each frame.
pub const FRAME_HEADER_BYTES: usize = 4;
/// What a [`crate::frame::FrameDecoder`] holds at most: one frame and the next one being read.
pub const FRAME_BUFFER_BYTES_MAX: usize = 2 * (FRAME_HEADER_BYTES + FRAME_BYTES_MAX);
/// Fields in one message before it is given to the protobuf decoder: a list of empty rows takes two
/// bytes each on the wire and some hundred in memory.
pub const MESSAGE_FIELDS_COUNT_MAX: usize = 16_384;

/// A node's name, also a file name and a DNS label.
pub const NODE_ID_BYTES_MAX: usize = 64;
/// A name has at most 200 characters of at most four bytes; the same for its kana.
pub const NAME_BYTES_MAX: usize = 800;
/// Prefecture, municipality, town, block and building: 400 characters.
pub const ADDRESS_BYTES_MAX: usize = 1_600;
/// 旧氏: one family name of at most 100 characters.
pub const FORMER_SURNAME_BYTES_MAX: usize = 400;
/// The body of a release: a code, two municipalities, a day and a time.
pub const RELEASE_BODY_BYTES_MAX: usize = 512;
/// A repair's body: one person as held, a code, a key and the numbers.
pub const REPAIR_BODY_BYTES_MAX: usize = 8_192;
/// Ranges of one comparison: enough to follow as many differences at once.
pub const COMPARE_RANGES_COUNT_MAX: usize = 64;
/// Each range has sixteen parts.
pub const COMPARE_PARTS_COUNT_MAX: usize = 16 * COMPARE_RANGES_COUNT_MAX;
/// A range with no more persons than this is told person by person.
pub const COMPARE_PERSONS_COUNT_MAX: usize = 64;
/// Record codes of one pool: thirteen bytes each on the wire, far below a frame.
pub const POOL_CODES_COUNT_MAX: usize = 10_000;
/// Dates, codes, ids of the appended tables, organs, cards, epochs.
pub const SHORT_TEXT_BYTES_MAX: usize = 64;
/// The asker's own file number.
pub const CASE_NUMBER_BYTES_MAX: usize = 128;
/// How the clerk identified a resident at the counter.
pub const IDENTIFIED_BY_BYTES_MAX: usize = 128;
/// Typed keys of an inquiry are longer than what they become: spaces, width, wareki.
pub const QUERY_NAME_BYTES_MAX: usize = 1_024;
/// As above, for the address.
pub const QUERY_ADDRESS_BYTES_MAX: usize = 2_048;
/// A signed body of an inquiry or a query.
pub const SIGNED_BODY_BYTES_MAX: usize = 8_192;
/// ECDSA P-256, r || s.
pub const SIGNATURE_BYTES: usize = 64;

/// S1: more than 50 persons are not provided.
pub const ANSWER_PERSONS_COUNT_MAX: usize = PROVISION_PERSONS_MAX;
/// 180 notices of the greatest size still fit into one frame.
pub const BATCH_NOTICES_COUNT_MAX: usize = 180;
/// Notices about one resident that wait for the one before them: a move and what follows it in the
/// new municipality until the notices of the former one have arrived.
pub const WAITING_NOTICES_COUNT_MAX: usize = 16;
/// As above, for the rows of the existing register system.
pub const FEED_ROWS_COUNT_MAX: usize = 180;
/// 64 rows of the greatest size still fit into one frame.
pub const BATCH_DISCLOSURES_COUNT_MAX: usize = 64;
/// Canonical text of one ledger entry.
pub const ENTRY_BYTES_MAX: usize = 4_096;
/// A tlog-proof: up to 63 hashes of 45 bytes, and a checkpoint with its cosignatures.
pub const PROOF_BYTES_MAX: usize = 8_192;
/// Origin of a ledger, and a note verifier key.
pub const LEDGER_TEXT_BYTES_MAX: usize = 256;
/// Rows of one resident's view: several a month over the five years they are kept.
pub const VIEW_ROWS_COUNT_MAX: usize = 512;
/// Ledgers of one view: the center's, the prefecture's, and room for a move.
pub const VIEW_LEDGERS_COUNT_MAX: usize = 8;

/// Every municipality (1,741), prefecture and exchange (95), and some hundred agencies twice over.
pub const DIRECTORY_MEMBERS_COUNT_MAX: usize = 4_096;
/// Operator cards of one directory; with [`FRAME_BYTES_MAX`] the bytes bind first.
pub const DIRECTORY_OPERATORS_COUNT_MAX: usize = 8_192;
/// Agreements between the center and the agencies, past ones included.
pub const DIRECTORY_AGREEMENTS_COUNT_MAX: usize = 1_024;
/// Affairs one operator card may be used for; table 1 has some hundreds in all.
pub const CARD_AFFAIRS_COUNT_MAX: usize = 1_024;
/// The signed directory, so that it fits into one frame with its envelope.
pub const DIRECTORY_BYTES_MAX: usize = FRAME_BYTES_MAX - 1_024;

/// Stable id of a rule, name of a column.
pub const RULE_BYTES_MAX: usize = 64;
/// Article or seed source of a refusal.
pub const LAW_BYTES_MAX: usize = 256;
/// Japanese hint: 256 characters.
pub const HINT_BYTES_MAX: usize = 768;
/// English hint.
pub const HINT_EN_BYTES_MAX: usize = 512;
/// What to do about a rejected row.
pub const REMEDY_BYTES_MAX: usize = 512;
/// Why something cannot be done now.
pub const REASON_BYTES_MAX: usize = 256;
/// Name and version of the software in a heartbeat.
pub const SOFTWARE_BYTES_MAX: usize = 64;
/// One size for every refusal (charter §8.4): a carrier cannot tell one from another by its length.
pub const REFUSAL_BYTES: usize = 2_048;
/// An answer is padded to the next of these. The first is that of a refusal, so that on the line
/// nobody found, a few persons found and a refusal have one size.
pub const ANSWER_BYTES_CLASSES: [usize; 4] = [REFUSAL_BYTES, 16_384, 65_536, 262_144];

/// Greatest size of one notice with its envelope: the texts and their tags.
const NOTICE_BYTES_MAX: usize = 3 * NAME_BYTES_MAX
    + FORMER_SURNAME_BYTES_MAX
    + ADDRESS_BYTES_MAX
    + RELEASE_BODY_BYTES_MAX
    + 12 * SHORT_TEXT_BYTES_MAX;
/// Greatest size of one person in an answer.
const PERSON_BYTES_MAX: usize = 3 * NAME_BYTES_MAX + ADDRESS_BYTES_MAX + 8 * SHORT_TEXT_BYTES_MAX;
/// Greatest size of one disclosed row.
const DISCLOSURE_BYTES_MAX: usize = ENTRY_BYTES_MAX + PROOF_BYTES_MAX + 2 * SHORT_TEXT_BYTES_MAX;
/// Greatest refusal without its padding: 32 bytes of digest and the tags in 64.
const REFUSAL_TEXT_BYTES_MAX: usize =
    RULE_BYTES_MAX + LAW_BYTES_MAX + HINT_BYTES_MAX + HINT_EN_BYTES_MAX + 64;

// What `law` takes must fit, four bytes a character, or a resident's own name could not be sent.
const _: () = assert!(NAME_BYTES_MAX >= 4 * NAME_LENGTH_CHARS_MAX);
const _: () = assert!(FORMER_SURNAME_BYTES_MAX >= 4 * FORMER_SURNAME_LENGTH_CHARS_MAX);
const _: () = assert!(ADDRESS_BYTES_MAX >= 4 * ADDRESS_LENGTH_CHARS_MAX);
const _: () = assert!(SHORT_TEXT_BYTES_MAX >= CARD_ID_BYTES_MAX);
const _: () = assert!(BATCH_NOTICES_COUNT_MAX * NOTICE_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(REPAIR_BODY_BYTES_MAX > PERSON_BYTES_MAX + FORMER_SURNAME_BYTES_MAX + 512);
const _: () = assert!(POOL_CODES_COUNT_MAX < MESSAGE_FIELDS_COUNT_MAX);
const _: () = assert!(FEED_ROWS_COUNT_MAX * NOTICE_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(BATCH_DISCLOSURES_COUNT_MAX * DISCLOSURE_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(ANSWER_BYTES_CLASSES[3] + LEDGER_TEXT_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(
    ANSWER_PERSONS_COUNT_MAX * PERSON_BYTES_MAX + 2 * LEDGER_TEXT_BYTES_MAX
        < ANSWER_BYTES_CLASSES[3]
);
// The padding's own length must always take two bytes (128 to 16,383), or sizes would differ by
// one.
const _: () = assert!(REFUSAL_BYTES - REFUSAL_TEXT_BYTES_MAX > 128 && REFUSAL_BYTES < 16_384);
const _: () = assert!(
    DIRECTORY_MEMBERS_COUNT_MAX + DIRECTORY_OPERATORS_COUNT_MAX + DIRECTORY_AGREEMENTS_COUNT_MAX
        < MESSAGE_FIELDS_COUNT_MAX
);
