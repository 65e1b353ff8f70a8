//! A reading of Rust source that knows only this much: what is code, what is comment, what is text
//! in quotes, and where braces close. It is no parser; rustc has already accepted what it sees.

/// One source in two views of the same lines: whatever does not belong to a view is blank there.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// Code, with comments and the insides of string and character literals blanked.
    pub(crate) code: String,
    /// The text of comments alone.
    pub(crate) comments: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: u32 },
    Text { raw: Option<usize> },
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    out: Scanned,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    /// Moves over `count` characters, into the code view, the comment view or neither.
    fn take(&mut self, count: usize, code: bool, comment: bool) {
        for _ in 0..count {
            let Some(&c) = self.chars.get(self.at) else { return };
            let blank = if c == '\n' { '\n' } else { ' ' };
            self.out.code.push(if code { c } else { blank });
            self.out.comments.push(if comment { c } else { blank });
            self.at += 1;
        }
    }

    /// `r"`, `r#"`, `br"` …: the number of hashes, and how many characters the opening takes.
    fn raw_opening(&self) -> Option<(usize, usize)> {
        let before = self.at.checked_sub(1).and_then(|at| self.chars.get(at));
        if before.is_some_and(|c| c.is_alphanumeric() || *c == '_') {
            return None;
        }
        let mut ahead = usize::from(self.peek(0) == 'b');
        if self.peek(ahead) != 'r' {
            return None;
        }
        ahead += 1;
        let mut hashes = 0;
        while self.peek(ahead) == '#' {
            (hashes, ahead) = (hashes + 1, ahead + 1);
        }
        (self.peek(ahead) == '"').then_some((hashes, ahead + 1))
    }

    /// A character literal and not a lifetime: `'x'`, `'\n'`.
    fn char_literal(&self) -> Option<usize> {
        if self.peek(0) != '\'' {
            return None;
        }
        if self.peek(1) == '\\' {
            return (3..12).find(|&ahead| self.peek(ahead) == '\'').map(|ahead| ahead + 1);
        }
        (self.peek(2) == '\'').then_some(3)
    }

    fn code(&mut self) -> State {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => {
                self.take(2, false, true);
                return State::LineComment;
            }
            ('/', '*') => {
                self.take(2, false, true);
                return State::BlockComment { depth: 1 };
            }
            ('"', _) => {
                self.take(1, true, false);
                return State::Text { raw: None };
            }
            _ => {}
        }
        if let Some((hashes, length)) = self.raw_opening() {
            self.take(length, true, false);
            return State::Text { raw: Some(hashes) };
        }
        match self.char_literal() {
            Some(length) => {
                self.take(1, true, false);
                self.take(length - 2, false, false);
                self.take(1, true, false);
            }
            None => self.take(1, true, false),
        }
        State::Code
    }

    fn text(&mut self, raw: Option<usize>) -> State {
        let closes = match raw {
            Some(hashes) => {
                self.peek(0) == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == '#')
            }
            None => self.peek(0) == '"',
        };
        if closes {
            self.take(1 + raw.unwrap_or(0), true, false);
            return State::Code;
        }
        let escaped = raw.is_none() && self.peek(0) == '\\';
        self.take(if escaped { 2 } else { 1 }, false, false);
        State::Text { raw }
    }

    fn block(&mut self, depth: u32) -> State {
        let (step, depth) = match (self.peek(0), self.peek(1)) {
            ('*', '/') => (2, depth - 1),
            ('/', '*') => (2, depth + 1),
            _ => (1, depth),
        };
        self.take(step, false, true);
        if depth == 0 { State::Code } else { State::BlockComment { depth } }
    }
}

/// Reads one source.
pub(crate) fn scan(text: &str) -> Scanned {
    let out = Scanned { code: String::new(), comments: String::new() };
    let mut scanner = Scanner { chars: text.chars().collect(), at: 0, out };
    let mut state = State::Code;
    while scanner.at < scanner.chars.len() {
        state = match state {
            State::Code => scanner.code(),
            State::LineComment => {
                let ends = scanner.peek(0) == '\n';
                scanner.take(1, false, true);
                if ends { State::Code } else { State::LineComment }
            }
            State::BlockComment { depth } => scanner.block(depth),
            State::Text { raw } => scanner.text(raw),
        };
    }
    scanner.out
}

/// The words of a line of code: identifiers and keywords.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The code view without its `#[cfg(test)]` modules, line for line.
pub(crate) fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut armed = false;
    let mut depth: Option<i64> = None;
    for line in code.lines() {
        if depth.is_none() && line.trim_start().starts_with("#[cfg(test)]") {
            armed = true;
        }
        let balance = braces(line);
        if armed || depth.is_some() {
            let open = depth.unwrap_or(0) + balance;
            let entered = depth.is_some() || line.contains('{');
            armed = armed && !entered && !line.trim_end().ends_with(';');
            depth = (entered && open > 0).then_some(open);
        } else {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

fn braces(line: &str) -> i64 {
    line.chars().fold(0, |sum, c| match c {
        '{' => sum + 1,
        '}' => sum - 1,
        _ => sum,
    })
}

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// Every function of a code view, by counting brackets from its `fn` on.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut before = "";
        for word in words(line) {
            if before == "fn" {
                let name = word.to_owned();
                if let Some(length) = body_lines(lines.get(index..).unwrap_or_default(), word) {
                    found.push(Function { name, line: index + 1, lines: length });
                }
            }
            before = word;
        }
    }
    found
}

/// How many lines the function takes that is named on the first of `lines`; `None` without a body.
fn body_lines(lines: &[&str], name: &str) -> Option<usize> {
    let (mut curly, mut other) = (0_i64, 0_i64);
    for (index, line) in lines.iter().enumerate() {
        let rest = match index {
            0 => line.split_once(&format!("fn {name}")).map_or("", |(_, rest)| rest),
            _ => line,
        };
        for c in rest.chars() {
            match c {
                '(' | '[' => other += 1,
                ')' | ']' => other -= 1,
                '{' => curly += 1,
                '}' => {
                    curly -= 1;
                    if curly == 0 && other == 0 {
                        return Some(index + 1);
                    }
                }
                ';' if curly == 0 && other == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_texts_and_code_are_told_apart() {
        let text =
            "let a = \"x // no\"; // yes \"no\n/* b /* c */ d */ let 'a: r#\"q\"u\"#; '\"' e";
        let scanned = scan(text);
        assert!(scanned.code.contains("let a = \"       \";"), "{}", scanned.code);
        assert!(scanned.code.contains("let 'a: r#\"   \"#; ' ' e"), "{}", scanned.code);
        assert!(!scanned.code.contains("yes") && scanned.comments.contains("// yes \"no"));
        assert!(scanned.comments.contains("/* b /* c */ d */"));
        assert_eq!(scanned.code.lines().count(), text.lines().count());
    }

    #[test]
    fn test_modules_are_blanked_and_what_follows_is_not() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n";
        assert_eq!(without_tests(text), "fn a() {}\n\n\n\n\nfn c() {}\n");
        let text = "#[cfg(test)]\nmod tests;\nfn c() {}\n";
        assert_eq!(without_tests(text), "\n\nfn c() {}\n");
    }

    #[test]
    fn functions_are_measured_from_their_name_to_their_brace() {
        let text = "trait T { fn no(a: [u8; 2]); }\nfn yes(\n a: [u8; 2],\n) {\n if a {}\n}\n";
        let yes = Function { name: "yes".to_owned(), line: 2, lines: 5 };
        assert_eq!(functions(text), [yes]);
    }
}
