//! The text catalog: every word a page says, once, in Japanese and in English.
//!
//! It is not Fluent: for a few hundred fixed sentences without plurals or genders a struct with one
//! field per text is smaller, and a missing translation is a compile error instead of a log line.
//! When a third language comes, this file becomes the generator's input.

use std::fmt::Display;

/// The languages of the desk. Japanese is first in everything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lang {
    /// 日本語
    Ja,
    /// English
    En,
}

impl Lang {
    /// The value of `lang=` in `<html>`, in the language link and in the cookie.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }

    /// The reverse of [`Lang::code`]; anything else is no language.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "ja" => Some(Self::Ja),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The one to switch to.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Ja => Self::En,
            Self::En => Self::Ja,
        }
    }

    pub(crate) const fn texts(self) -> &'static Texts {
        match self {
            Self::Ja => &JA,
            Self::En => &EN,
        }
    }

    /// Picks one of two texts that some other crate already holds in both languages.
    pub(crate) const fn pick<'a>(self, ja: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ja => ja,
            Self::En => en,
        }
    }
}

/// Puts `value` where the text has `{}`.
pub(crate) fn fill(text: &str, value: impl Display) -> String {
    text.replacen("{}", &value.to_string(), 1)
}

macro_rules! catalog {
    ($($key:ident: $ja:literal, $en:literal;)*) => {
        /// One field per text.
        #[derive(Debug)]
        pub(crate) struct Texts { $(pub(crate) $key: &'static str,)* }
        static JA: Texts = Texts { $($key: $ja,)* };
        static EN: Texts = Texts { $($key: $en,)* };
        #[cfg(test)]
        const ROWS: &[(&str, &str, &str)] = &[$((stringify!($key), $ja, $en),)*];
    };
}

catalog! {
    // Frame
    system: "住民基本台帳ネットワークシステム", "Basic Resident Registration Network";
    skip: "本文へ進む", "Skip to the content";
    switch_language: "English", "日本語";
    operator: "操作者", "Operator";
    operator_none: "未認証", "Not signed in";
    card: "操作者識別カード", "Operator card";
    card_in: "挿入中", "in the reader";
    card_out: "ありません", "not in the reader";
    links: "回線", "Links";
    link_up: "接続", "up";
    link_down: "切断", "down";
    key_legend: "キー操作", "Keys";
    clock: "現在時刻", "Time";
    place_clerk: "照会窓口", "Inquiry desk";
    place_disclosure: "開示窓口", "Disclosure desk";
    place_network: "監視室", "Network room";
    key_help: "ヘルプ", "Help";
    key_back: "戻る", "Back";
    key_code: "コード表示", "Show code";
    key_run: "実行", "Run";
    key_end: "終了", "End";
    key_network: "状況", "Status";
    key_next: "次の欄", "Next field";
    refused: "この操作は受け付けられませんでした", "This was refused";
    refused_rule: "規則", "Rule";
    refused_law: "根拠", "Law";
    refused_hint: "できること", "What you may do";
    refused_recorded:
        "お断りしたことも、台帳に記録されました。",
        "The refusal has been recorded in the ledger as well.";
    go_back: "入力に戻る", "Back to the form";
    go_start: "はじめに戻る", "Back to the start";

    // T01
    login_title: "操作者の認証", "Operator sign-in";
    login_lead: "カードを読取装置に入れて、暗証番号を入力してください。", "Put your card in the reader and enter your PIN.";
    step_reader: "カードを入れる", "Insert the card";
    step_reader_done: "カードを確認しました", "The card is in the reader";
    step_reader_wait: "カードを待っています", "Waiting for the card";
    step_mutual: "カードと端末の相互認証", "Card and terminal check each other";
    step_mutual_lead:
        "端末が本物か、カードが本物かを、おたがいに確かめます。",
        "The terminal proves itself to the card, and the card to the terminal.";
    step_session: "業務の開始", "Start work";
    step_session_lead:
        "カードを抜くと、画面も業務もその場で終わります。",
        "Taking the card out ends the session and clears the page at once.";
    pin: "暗証番号", "PIN";
    pin_help: "数字4〜12けた。3回まちがえるとカードが使えなくなります。", "4 to 12 digits. Three wrong tries lock the card.";
    pin_left: "あと {} 回です。", "{} tries left.";
    pin_blocked: "カードは使えなくなりました。管理者に連絡してください。", "The card is locked. Call your administrator.";
    login_run: "認証する", "Sign in";
    card_reload: "カードを入れたら、ここを押す", "I have inserted the card";
    ended_title: "終了しました", "The session has ended";
    ended_logout:
        "業務を終了し、画面の情報を消しました。カードを取り出してください。",
        "The session is over and its pages are gone. Take your card with you.";
    ended_card: "カードが抜かれたので、業務を終了しました。", "The card was taken out, so the session was ended.";
    ended_idle:
        "しばらく操作がなかったので、業務を終了しました。",
        "There was no activity for a while, so the session was ended.";

    // T03
    inquiry_title: "本人確認情報の照会", "Inquiry for identity confirmation information";
    inquiry_lead:
        "法律が認める3つの聞き方だけを受け付けます。条件がそろうと、下の「実行」が使えます。",
        "Only the three lawful ways to ask are accepted. Run becomes useful when one of them \
         is complete.";
    basis: "何のために照会しますか", "Why do you ask?";
    affair: "事務（根拠）", "Affair (legal basis)";
    affair_choose: "選んでください", "Choose one";
    affair_help: "あなたのカードで行える事務だけが並びます。", "Only the affairs your card may be used for are listed.";
    case_number: "受付番号", "Case number";
    case_help:
        "申請書や届出の番号。本人が見る記録にも残ります。",
        "The number of the application. It stays in the record the resident can see.";
    required: "必須", "required";
    mode: "聞き方", "Way to ask";
    mode_code: "住民票コード", "Record code";
    mode_name_address: "氏名 ＋ 住所", "Name + address";
    mode_name_birth: "氏名 ＋ 生年月日", "Name + birth date";
    condition: "だれについて照会しますか", "Who is it about?";
    code_field: "住民票コード", "Resident record code";
    code_help: "11けたの数字。けたの検査もします。", "11 digits, with a check digit.";
    name_field: "氏名", "Name";
    name_help: "姓と名の間に空白を1つ。", "Family and given name with one space between.";
    address_field: "住所", "Address";
    address_help:
        "都道府県から番地まで。全角・半角は問いません。",
        "From the prefecture to the number. Full or half width does not matter.";
    birth_field: "生年月日", "Birth date";
    birth_help:
        "S60.4.1 ／ 昭60-4-1 ／ 3600401 ／ 1985-04-01",
        "S60.4.1, 昭60-4-1, 3600401 or 1985-04-01";
    birth_read: "{} と読みました", "read as {}";
    prefix: "前方一致で探す", "Search by beginning";
    prefix_address:
        "最少: 氏名の1文字 ＋ 住所の全部、または 氏名の全部 ＋ 住所（市区町村名の後ろ）の1文字",
        "At least: 1 character of the name + the whole address, or the whole name + 1 \
         character of the address after the municipality";
    prefix_birth:
        "最少: 氏名の1文字 ＋ 生年月日の全部",
        "At least: 1 character of the name + the whole birth date";
    prefix_cap: "該当する方が50人を超えると、提供されません。", "More than 50 matches are not provided.";
    meter_title: "照会の条件", "Conditions of an inquiry";
    meter_lead: "入力するたびに、法律の条件と比べます。", "Compared with the law as you type.";
    meter_reached: "そろいました", "complete";
    meter_missing: "たりないもの", "still missing";
    meter_empty: "未入力", "nothing entered";
    meter_selected: "選択中", "selected";
    meter_ready: "照会できます", "Ready to ask";
    meter_not_ready: "まだ照会できません", "Not ready yet";
    missing_affair: "事務", "affair";
    missing_case: "受付番号", "case number";
    missing_code: "住民票コード", "record code";
    missing_code_shape: "正しい住民票コード（11けた・検査数字）", "a correct record code (11 digits, check digit)";
    missing_name: "氏名の全部", "whole name";
    missing_name_first: "氏名の1文字", "1 character of the name";
    missing_address: "住所の全部", "whole address";
    missing_address_rest: "住所の残り全部", "the rest of the address";
    missing_address_first: "市区町村名の後ろの1文字", "1 character after the municipality";
    missing_birth: "生年月日の全部", "whole birth date";
    missing_other: "条件", "a condition";
    promise:
        "この照会は記録 #… として残り、本人が見ることができます。",
        "This inquiry will stand as record #…, and the resident can see it.";
    promise_more:
        "番号は実行したときに決まります。だれも消せません。",
        "The number is given when you run it. Nobody can erase it.";
    run: "照会を実行する", "Run the inquiry";
    check: "条件を確認する", "Check the conditions";
    clear: "新しい照会", "New inquiry";

    // T04
    result_title: "照会の結果", "Result of the inquiry";
    result_found: "{} 人が該当しました", "{} found";
    result_found_one: "1 人が該当しました", "1 person found";
    result_none: "該当する方はいません", "Nobody matches";
    result_none_more:
        "該当がなかったことも記録されました。入力した文字の形や、住所の書き方を確かめてください。",
        "That nobody matched has been recorded too. Check the characters of the name and the \
         form of the address.";
    result_recorded: "この照会は記録されました", "This inquiry has been recorded";
    result_recorded_more:
        "本人は、この記録を見て、確かめることができます。",
        "The resident can see this record and verify it.";
    ledger: "台帳", "Ledger";
    entry_number: "記録番号", "Record number";
    answered_by: "回答", "Answered by";
    item_name: "氏名", "Name";
    item_kana: "ふりがな", "Reading";
    item_address: "住所", "Address";
    item_sex: "性別", "Sex";
    item_birth: "生年月日", "Birth date";
    item_code: "住民票コード", "Record code";
    item_change: "異動", "Change";
    item_change_none: "記録なし", "none recorded";
    sex_male: "男", "male";
    sex_female: "女", "female";
    code_masked: "コードを表示", "Show the code";
    code_not_given: "この事務では提供されません", "not provided for this affair";
    hide_soon: "{} 秒たつと、画面から消えます。", "Disappears from the screen after {} seconds.";
    hidden_title: "表示時間が終わりました", "The viewing time is over";
    hidden_more:
        "肩ごしに見られないように、結果を隠しました。",
        "The result is hidden so that nobody reads it over your shoulder.";
    show_again: "もう一度表示する", "Show it again";
    person_count: "{} 人目", "Person {}";

    // R24
    disclosure_title: "記録の開示", "Disclosure of records";
    disclosure_lead:
        "本人の確認をしてから、住民票コードを入力します。本人の記録だけが表示されます。",
        "Identify the resident first, then enter the record code. Only the resident's own \
         records appear.";
    identified_by: "本人確認の方法", "Resident identified by";
    id_card: "住民基本台帳カード・個人番号カード", "Juki card or Individual Number Card";
    id_license: "運転免許証", "Driving licence";
    id_passport: "旅券（パスポート）", "Passport";
    id_two: "その他の書類2点", "Two other documents";
    disclosure_run: "記録を表示する", "Show the records";
    timeline_title: "あなたの情報を見た人の記録", "Who looked at your information";
    timeline_period: "対象の期間", "Period covered";
    timeline_until: "から", "to";
    timeline_count: "{} 件の記録があります", "{} records";
    timeline_count_one: "1 件の記録があります", "1 record";
    timeline_none: "この期間に、あなたの情報はだれにも提供されていません", "Nobody was given your information in this period";
    timeline_none_more:
        "下は、この期間を確かめた台帳の大きさと根の値です。控えておくと、あとから記録が足されたり変えられたりしていないかを、比べて確かめられます。",
        "Below are the sizes and roots of the ledgers that were searched. Keep them: they show \
         later whether a record was added or changed afterwards.";
    timeline_all_good: "すべて検証済み", "All verified";
    timeline_some_bad: "検証できない記録があります", "Some records could not be verified";
    timeline_code: "住民票コード", "Record code";
    verified: "検証済み", "Verified";
    unverified: "検証できません", "Not verified";
    verified_how: "台帳の根の値から、計算で確かめました。", "Computed from the root of the ledger.";
    unverified_how:
        "この記録は、台帳の根の値から確かめることができませんでした。窓口に知らせてください。",
        "This record could not be confirmed from the root of the ledger. Tell the desk.";
    proof: "証明を見る", "See the proof";
    who: "だれが", "Who";
    why: "なぜ", "Why";
    when: "いつ", "When";
    what_law: "どの法律で", "Under which article";
    case_label: "受付番号", "Case number";
    question: "この記録について質問する", "Ask about this record";
    question_how:
        "窓口で「{}」と伝えてください。だれが、なぜ見たのかを聞くことができます。直してほしいとき、使うのをやめてほしいときも申し出ることができます。",
        "Tell the desk \"{}\". You may ask who looked and why, and ask for correction or for \
         use to stop.";
    ledgers_title: "確かめに使った台帳", "Ledgers used for the check";
    ledger_size: "記録の数", "Records";
    ledger_root: "根の値", "Root";
    looks_provision: "提供", "Provided";
    looks_refusal: "お断り", "Refused";
    looks_notice: "通知", "Notice";
    looks_view: "開示", "Disclosure";
    looks_other: "その他", "Other";

    // N20
    network_title: "ネットワークの状況", "State of the network";
    network_at: "{} 現在", "as of {}";
    network_refresh: "5秒ごとに新しくなります", "Refreshes every 5 seconds";
    network_paused: "自動更新を止めています", "Automatic refresh is paused";
    network_pause: "自動更新を止める", "Pause refresh";
    network_resume: "自動更新を始める", "Resume refresh";
    network_table: "一覧表で見る", "See it as a table";
    network_map_label:
        "センターを中心に、交換装置、都道府県、市町村、国の機関等のつながりと状態を示す図。同じ内容の一覧表が下にあります。",
        "Map with the center in the middle, then exchanges, prefectures, municipalities and \
         agencies with their states. The table below holds the same facts.";
    all_working: "すべて正常です", "Everything is working";
    some_trouble: "注意が必要な装置が {} あります", "{} nodes need attention";
    some_trouble_one: "注意が必要な装置が 1 あります", "1 node needs attention";
    role: "種類", "Role";
    node: "装置", "Node";
    state: "状態", "State";
    last_seen: "最終応答", "Last seen";
    queued: "送信待ち", "Queued";
    residents: "住民", "Residents";
    entries: "記録", "Records";
    next_action: "次にすること", "Next action";
    exchange: "経路", "Route";
    never: "応答なし", "never";
    seconds_ago: "{}秒前", "{} s ago";
    minutes_ago: "{}分前", "{} min ago";
    hours_ago: "{}時間前", "{} h ago";
    days_ago: "{}日前", "{} d ago";
    state_working: "正常", "working";
    state_late: "遅れ", "late";
    state_silent: "応答なし", "silent";
    state_isolated: "切り離し中", "isolated";
    act_working: "なし", "none";
    act_late: "送信待ちの増え方を見る", "watch the queue";
    act_silent: "先方に電話し、緊急時対応計画を開く", "call the site, open the emergency plan";
    act_isolated: "再接続は2人の承認で", "rejoining takes two persons";
    role_center: "センター", "Center";
    role_exchange: "交換装置", "Exchange";
    role_prefecture: "都道府県", "Prefecture";
    role_municipality: "市町村", "Municipality";
    role_agency: "国の機関等", "Agency";
    role_other: "その他", "Other";
    total_residents: "住民", "Residents";
    total_entries: "台帳の記録", "Ledger records";
    total_queued: "送信待ち", "Queued";
    total_nodes: "装置", "Nodes";

    // Help
    help_title: "ヘルプ", "Help";
    help_keys: "キー", "Keys";
    help_enter: "次の欄へ進みます。最後の欄では実行します。", "Moves to the next field; in the last field it runs.";
    help_escape: "入力した文字を残したまま戻ります。", "Goes back and keeps what you typed.";
    help_rules: "照会のきまり", "Rules of an inquiry";
    help_rule_modes:
        "聞き方は「住民票コード」「氏名＋住所」「氏名＋生年月日」の3つです。",
        "There are three ways to ask: record code, name + address, name + birth date.";
    help_rule_record:
        "照会はすべて記録され、本人が見ることができます。",
        "Every inquiry is recorded, and the resident can see it.";
    help_rule_card: "カードを抜くと、その場で終わります。", "Taking the card out ends the session at once.";
    help_rule_terminal: "この端末に個人の情報は残りません。", "Nothing about any person stays on this terminal.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_every_text_and_the_same_places_to_fill() {
        for (key, ja, en) in ROWS {
            assert!(!ja.is_empty() && !en.is_empty(), "{key} is empty");
            assert_eq!(ja.matches("{}").count(), en.matches("{}").count(), "{key}");
        }
    }
}
