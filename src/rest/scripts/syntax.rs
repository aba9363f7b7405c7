//! Whether JavaScript compiles, and what a library exports. Nothing is executed.
//!
//! | reference                                      | it says                                              | here          |
//! |------------------------------------------------|------------------------------------------------------|---------------|
//! | authn-sessions-realms.md e.3                   | compilation only; errors with line and column        | [`check`]     |
//! | scripting.md §1                                | script, not module; sloppy                           | `parsed`      |
//! | scripting.md §16.2                             | line ends do not matter; `with`, octals, ASI         | `parsed`      |
//! | scripting.md §2                                | exports of a library: id, type, arity                | `exported`    |
//!
//! The parser recurses with the nesting of the source. Every level costs it at least one token that is neither a name nor a
//! number, so their count bounds the depth, whatever the source does to look harmless; the parser runs on a thread whose stack
//! is made for that many levels, and is not asked about more than [`MAX_TOKENS`]. Where it has to look ahead it can take the
//! square of that in time: no answer is waited for once its thread has worked for longer than [`BUDGET`], and no more than two
//! sources are looked at. What counts is work, as the system accounts for it thread by thread: on a crowded machine an honest
//! source takes longer, and is not refused.

use crate::{consensus::Unavailable, crest::Error};
use oxc::{
    allocator::Allocator,
    ast::ast::{AssignmentTarget, Expression, Program, Statement},
    parser::Parser,
    span::{GetSpan, SourceType},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, oneshot},
    time::timeout,
};

/// Most tokens that can nest.
pub const MAX_TOKENS: usize = 1 << 13;

/// How much processor time an answer may take.
pub const BUDGET: Duration = Duration::from_secs(5);

/// How often whoever waits looks whether that is in vain.
const GLANCE: Duration = Duration::from_millis(50);

/// Stack for one level, bytes; three times what the deepest construct was seen to take without optimization.
const LEVEL_BYTES: usize = 16 << 10;

/// Stack for the rest, bytes.
const BASE_BYTES: usize = 1 << 20;

/// Most mistakes that are told.
const MAX_MISTAKES: usize = 20;

/// How many sources are looked at at once: each has a thread.
const PLACES: usize = 2;

/// Where all sources are looked at.
static ROOM: LazyLock<Room> = LazyLock::new(Room::default);

/// Words after which the parser goes one level deeper.
const WORDS: [&str; 37] = [
    "accessor",
    "async",
    "await",
    "case",
    "class",
    "const",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "finally",
    "for",
    "function",
    "get",
    "if",
    "import",
    "in",
    "instanceof",
    "let",
    "new",
    "of",
    "return",
    "set",
    "static",
    "switch",
    "throw",
    "try",
    "typeof",
    "using",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// Something that does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Syntax {
    /// Why it does not compile; empty when it does.
    pub mistakes: Vec<Mistake>,
    /// What it exports, if it is a library.
    pub exports: Vec<Export>,
}

/// A member of `exports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub id: String,
    /// The number of parameters of a function.
    pub arity: Option<usize>,
}

impl Mistake {
    /// As the wire shows it.
    pub fn to_json(&self) -> Value {
        json!({"line": self.line, "column": self.column, "message": self.message})
    }
}

impl Export {
    /// As the wire shows it.
    pub fn to_json(&self) -> Value {
        match self.arity {
            Some(arity) => json!({"id": self.id, "type": "Function", "arity": arity}),
            None => json!({"id": self.id, "type": "Constant"}),
        }
    }
}

/// Parses `source`.
///
/// # Errors
/// 503 when there is no thread for it or it takes more than its share of work, 500 when the parser fails.
pub async fn check(source: String) -> Result<Syntax, Error> {
    let tokens = tokens_that_nest(&source);
    if tokens > MAX_TOKENS {
        let message = "The script is too long to be checked".to_owned();
        return Ok(Syntax { mistakes: vec![Mistake { line: 1, column: 1, message }], exports: Vec::new() });
    }
    ROOM.look_at(tokens, move || parsed(&source)).await
}

/// A few places for parsers at work.
struct Room {
    places: Semaphore,
    busy: Mutex<Vec<Arc<Work>>>,
}

impl Default for Room {
    fn default() -> Self {
        Self { places: Semaphore::new(PLACES), busy: Mutex::default() }
    }
}

/// A parser at work.
struct Work {
    begun: Instant,
    /// Where the system accounts for its thread; `None` inside where there is no such account.
    account: OnceLock<Option<PathBuf>>,
}

impl Work {
    fn new() -> Self {
        Self { begun: Instant::now(), account: OnceLock::new() }
    }

    /// Called on the thread that does it.
    fn begins(&self) {
        let account = fs::read_link("/proc/thread-self").map(|own| Path::new("/proc").join(own).join("stat"));
        self.account.get_or_init(|| account.ok().filter(|account| processor_time(account).is_some()));
    }

    /// Processor time so far; the time that has passed where the system tells none.
    fn spent(&self) -> Duration {
        match self.account.get() {
            None => Duration::ZERO, // its thread has not even begun
            Some(Some(account)) => processor_time(account).unwrap_or_default(), // it is over, and so nothing is spent
            Some(None) => self.begun.elapsed(),
        }
    }

    fn is_overdue(&self) -> bool {
        self.spent() > BUDGET
    }
}

/// What a thread has used of the processors, as `stat` in its account says (proc(5): user and system time are the 14th and
/// 15th fields, in hundredths of a second; the second is a name in parentheses that may hold anything).
fn processor_time(account: &Path) -> Option<Duration> {
    let stat = fs::read_to_string(account).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
}

/// A place that is taken; it is free again when the work is done, however it ended.
struct Taken {
    room: &'static Room,
    work: Arc<Work>,
    _place: SemaphorePermit<'static>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.busy.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, &self.work));
    }
}

impl Room {
    async fn look_at(
        &'static self,
        tokens: usize,
        parse: impl FnOnce() -> Syntax + Send + 'static,
    ) -> Result<Syntax, Error> {
        let taken = self.place().await?;
        let work = taken.work.clone();
        let (tell, mut told) = oneshot::channel();
        let spawned = thread_for(tokens).spawn(move || {
            taken.work.begins();
            let syntax = parse();
            // Whoever asked may be gone by now.
            drop(taken);
            drop(tell.send(syntax));
        });
        spawned.map_err(|_| overloaded())?;
        loop {
            match timeout(GLANCE, &mut told).await {
                Ok(answer) => return answer.map_err(|_| Error::plain(500)),
                Err(_) if work.is_overdue() => return Err(overloaded()),
                Err(_) => {}
            }
        }
    }

    /// A place, once there is one: unless those who have the places are not expected to leave.
    async fn place(&'static self) -> Result<Taken, Error> {
        let mut place = pin!(self.places.acquire());
        loop {
            match timeout(GLANCE, place.as_mut()).await {
                Ok(place) => {
                    let place = place.map_err(|_| Error::plain(500))?;
                    let work = Arc::new(Work::new());
                    self.busy.lock().unwrap_or_else(PoisonError::into_inner).push(work.clone());
                    return Ok(Taken { room: self, work, _place: place });
                }
                Err(_) if self.is_stuck() => return Err(overloaded()),
                Err(_) => {}
            }
        }
    }

    fn is_stuck(&self) -> bool {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.len() >= PLACES && busy.iter().all(|work| work.is_overdue())
    }
}

fn overloaded() -> Error {
    Unavailable::Overloaded.into()
}

/// A thread on which a source with so many tokens that nest can be parsed.
fn thread_for(tokens: usize) -> std::thread::Builder {
    std::thread::Builder::new().name("script-syntax".into()).stack_size(BASE_BYTES + tokens * LEVEL_BYTES)
}

/// How many tokens of `source` could take the parser one level deeper: more than there are, never fewer.
fn tokens_that_nest(source: &str) -> usize {
    // What is not ASCII may be white space, part of a name, or nothing: it divides words, so that no word is overlooked.
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let harmless = |c: char| {
        in_word(c) || c.is_ascii_whitespace() || ".;,)]}\"'".contains(c) || (!c.is_ascii() && c.is_alphabetic())
    };
    let signs = source.chars().filter(|&c| !harmless(c)).count();
    let words = source.split(|c| !in_word(c)).filter(|word| WORDS.contains(word)).count();
    signs + words
}

fn parsed(source: &str) -> Syntax {
    let source = source.replace("\r\n", "\n");
    let arena = Allocator::default();
    let parsed = Parser::new(&arena, &source, SourceType::cjs()).parse();
    let mistakes = parsed.errors.iter().take(MAX_MISTAKES).map(|error| {
        let at = error.labels.as_ref().and_then(|labels| labels.first()).map_or(0, |label| label.offset());
        let (line, column) = position(&source, at);
        Mistake { line, column, message: error.message.to_string() }
    });
    let mut mistakes: Vec<Mistake> = mistakes.collect();
    // The parser leaves it to a later pass that a script has no imports.
    if let (true, Some(statement)) =
        (mistakes.is_empty(), parsed.program.body.iter().find(|statement| statement.is_module_declaration()))
    {
        let start = usize::try_from(statement.span().start).unwrap_or_default();
        let (line, column) = position(&source, start);
        mistakes.push(Mistake { line, column, message: "import and export are for modules".into() });
    }
    let exports = if mistakes.is_empty() { exported(&parsed.program) } else { Vec::new() };
    Syntax { mistakes, exports }
}

/// Line and column of the byte `at`, both from 1.
fn position(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let is_end = |c: char| matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}');
    let line = before.chars().filter(|&c| is_end(c)).count() + 1;
    let column = before.chars().rev().take_while(|&c| !is_end(c)).count() + 1;
    (line, column)
}

/// `exports.x = …` at the top of a library; the last one of a name counts.
fn exported(program: &Program<'_>) -> Vec<Export> {
    let mut declared = BTreeMap::new();
    for statement in &program.body {
        if let Statement::FunctionDeclaration(function) = statement
            && let Some(id) = &function.id
        {
            declared.insert(id.name.as_str(), function.params.items.len());
        }
    }
    let mut exports: Vec<Export> = Vec::new();
    for statement in &program.body {
        let Statement::ExpressionStatement(statement) = statement else { continue };
        let Expression::AssignmentExpression(assignment) = &statement.expression else { continue };
        let AssignmentTarget::StaticMemberExpression(member) = &assignment.left else { continue };
        if !matches!(&member.object, Expression::Identifier(object) if object.name == "exports") {
            continue;
        }
        let arity = match &assignment.right {
            Expression::FunctionExpression(function) => Some(function.params.items.len()),
            Expression::ArrowFunctionExpression(function) => Some(function.params.items.len()),
            Expression::Identifier(name) => declared.get(name.name.as_str()).copied(),
            _ => None,
        };
        let id = member.property.name.to_string();
        exports.retain(|export| export.id != id);
        exports.push(Export { id, arity });
    }
    exports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(source: &str) -> Vec<(usize, usize)> {
        parsed(source).mistakes.iter().map(|mistake| (mistake.line, mistake.column)).collect()
    }

    /// scripting.md §16.2, and what scripts in the field look like (§1).
    #[test]
    fn what_the_reference_compiles_compiles() {
        for source in [
            "",
            "// nothing",
            "if (sharedState.get(\"username\") == \"demo\") { outcome = \"true\"; } else { outcome = \"false\"; }",
            "var fr = JavaImporter(org.forgerock.openam.auth.node.api.Action, java.util.HashSet,);",
            "with (new JavaImporter(java.util)) { var set = new HashSet(); }",
            "(function () { return new java.util.HashSet(); }())",
            "(function () { return null; })() // done",
            "var f = function () { return 1 }\n()",
            "var a = 010, b = \"\\251\", f = function (x, x) { return arguments.callee; }",
            "if (true) { function g() {} }\nundeclared = 1",
            "var text = \"a\\\r\nb\", other = `a\\\r\nb ${text}`",
            "var f = (a, b) => a + b; var o = Object.assign({}, {f: f});",
            "<!-- comment\nvar x = 1\n--> comment",
            "label: for (;;) { break label }",
            "var await = 1, let = 2, static = 3, yield = 4; var package = 5",
            "var re = /[/]\\/(?:a|b)+/gi, half = 4 / 2 / 1",
            "delete scopes; var e = {get a() { return 1 }, set a(v) {}, 'b': 2, 3: 4}",
            "try { throw {} } catch (e) { logger.error(String(e)) } finally {}",
            "var x = a ? b : c, y = a\n++b",
            "switch (x) { case 1: default: }",
            "\"use strict\"; var y = 1",
            "\u{feff}var x",
        ] {
            assert_eq!(parsed(source).mistakes, vec![], "{source}");
        }
    }

    #[test]
    fn what_does_not_compile_is_told_with_its_place() {
        for (source, place) in [
            ("var a = ;", (1, 9)),
            ("var a = 1;\nvar b = {;", (2, 10)),
            ("var a = 1;\r\nvar b = [1, 2", (2, 14)),
            ("é(", (1, 3)),
            ("return 1", (1, 1)),
            ("for each (var x in y) {}", (1, 5)),
            ("var x = <a/>", (1, 9)),
            ("try {} catch (e if e instanceof X) {}", (1, 17)),
            ("\"open", (1, 1)),
            ("import x from 'y'", (1, 1)),
        ] {
            assert_eq!(mistakes(source).first(), Some(&place), "{source}: {:?}", parsed(source).mistakes);
        }
    }

    #[test]
    fn a_library_says_what_it_exports() {
        let source = "function plus(a, b) { return a + b }\nexports.plus = plus;\nexports.twice = function (x) { return x };\n\
                      exports.name = 'n';\nexports.none = () => 1;\nvar exported = exports.name;\nexports.twice = x => x";
        let exports: Vec<(String, Option<usize>)> =
            parsed(source).exports.into_iter().map(|export| (export.id, export.arity)).collect();
        let expected = [("plus", Some(2)), ("name", None), ("none", Some(0)), ("twice", Some(1))];
        assert_eq!(exports, expected.map(|(id, arity)| (id.to_owned(), arity)));
    }

    /// Every way to nest, as deep as is allowed: the process lives. Whether it compiles is another question.
    #[test]
    fn no_nesting_breaks_the_stack() {
        let survives = |source: String| {
            let tokens = tokens_that_nest(&source);
            assert!(tokens <= MAX_TOKENS);
            let thread = thread_for(tokens).spawn(move || parsed(&source).mistakes.len());
            assert!(thread.expect("a thread").join().is_ok());
        };
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("({a:", "})"),
            ("!", ""),
            ("- ", ""),
            ("typeof ", ""),
            ("new ", ""),
            ("f(", ")"),
            ("a=>", ""),
            ("(a=>", ")"),
            ("a?", ":b"),
            ("a?b:", ""),
            ("a=", ""),
            ("a**", ""),
            ("a+", ""),
            ("a&&", ""),
            ("a??", ""),
            ("if(a)", ""),
            ("if(a);else ", ""),
            ("for(;;)", ""),
            ("while(a)", ""),
            ("do ", " while(a)"),
            ("with(a)", ""),
            ("l:", ""),
            ("`${", "}`"),
            ("(function(){", "})()"),
            ("function f(){", "}"),
            ("class A extends ", "{}"),
            ("class A{m(){", "}}"),
            ("({m(){", "}})"),
            ("(a=", ")=>b"),
            ("([", "])=>b"),
            ("var[", "]=b"),
            ("try{", "}finally{}"),
            ("switch(a){case ", ":}"),
            ("a[", "]"),
            ("a?.[", "]"),
            ("import(", ")"),
            ("async(", ")"),
            ("async(a=", ")"),
            ("(a=[", "])=>b"),
            ("({a=", "})=>b"),
            ("(a,b=", ")=>b"),
            ("((a=", "))"),
            ("(...[a=", "])=>b"),
            ("a?(b=", "):c"),
            ("async a=>", ""),
            ("(/*)*/", ")"),
            ("('))))',", ")"),
            ("<", ">"),
            ("/", "/"),
        ] {
            let tokens = tokens_that_nest(open).max(1);
            let deep = (MAX_TOKENS - 10) / (tokens + tokens_that_nest(close));
            survives(format!("{}b{}", open.repeat(deep), close.repeat(deep)));
            // Left open, the look-ahead fails at each level, and takes the square of their number in time.
            survives(open.repeat(deep / 4));
        }
        survives(format!("function* g() {{ {}b }}", "yield ".repeat(MAX_TOKENS - 10)));
        survives(format!("async function f() {{ {}b }}", "await ".repeat(MAX_TOKENS - 10)));
        for space in ["\u{a0}", "\u{feff}", "\u{2028}"] {
            survives(format!("typeof{space}").repeat(MAX_TOKENS / 2 - 5));
        }
    }

    /// No token that nests hides from the count.
    #[test]
    fn every_token_that_nests_is_counted() {
        for (source, least) in [
            ("typeof\u{a0}typeof\u{a0}a", 2),
            ("typeof\u{24b6}typeof", 2),
            ("typeof/**/typeof//\nvoid\u{2028}new", 4),
            ("((/*)))*/((", 4),
            ("`${`${", 2),
            ("a.b.c, d; é = 'x'", 1),
        ] {
            assert!(tokens_that_nest(source) >= least, "{source}");
        }
        assert_eq!(tokens_that_nest("a.b.c; grüße, \"x\"; typeofa 'ß'"), 0);
    }

    #[actix_web::test]
    async fn a_source_without_end_is_not_looked_at() {
        let long = check("(".repeat(MAX_TOKENS + 1)).await.expect("an answer");
        assert_eq!(long.mistakes.first().map(|mistake| (mistake.line, mistake.column)), Some((1, 1)));
        assert_eq!(check("a.b;".repeat(MAX_TOKENS)).await, Ok(Syntax::default()), "what cannot nest is not counted");
    }

    /// Somebody's own room, so that tests that run beside this one find theirs free.
    fn room() -> &'static Room {
        Box::leak(Box::default())
    }

    /// A source that takes long because the machine is crowded, and not because it is much work, is waited for: its thread
    /// does next to nothing here, for a time that would have been too long.
    #[actix_web::test]
    async fn waiting_is_not_work() {
        let room = room();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let idle = room.look_at(0, move || {
            gone.recv().unwrap_or_default();
            Syntax::default()
        });
        let looked = actix_web::rt::spawn(idle);
        let work = loop {
            match room.busy.lock().expect("nobody failed").first() {
                Some(work) if work.account.get().is_some() => break work.clone(),
                _ => {}
            }
            tokio::task::yield_now().await;
        };
        let long_ago = Work { begun: Instant::now() - 10 * BUDGET, account: work.account.clone() };
        assert!(!long_ago.is_overdue() && long_ago.spent() < BUDGET / 10, "{:?}", long_ago.spent());
        // Work is what is counted, and so this ends.
        let busy = room.look_at(0, || {
            let work = Work::new();
            work.begins();
            while work.spent() < Duration::from_millis(100) {
                std::hint::black_box("x".repeat(4096));
            }
            Syntax::default()
        });
        assert_eq!(busy.await, Ok(Syntax::default()));
        go.send(()).expect("it waits");
        assert_eq!(looked.await.expect("no panic"), Ok(Syntax::default()));
        assert!(room.busy.lock().expect("nobody failed").is_empty());
    }

    /// Where parsers that have had their share hold all places, nobody waits for one; a parser that fails gives its place back.
    #[actix_web::test]
    async fn who_has_had_his_share_is_not_waited_for() {
        let room = room();
        assert_eq!(room.look_at(0, || panic!("a parser that fails")).await.expect_err("no answer").code(), 500);
        assert!(room.busy.lock().expect("nobody failed").is_empty());
        let mut held = [room.place().await.expect("a place"), room.place().await.expect("another")];
        let waits = timeout(4 * GLANCE, room.look_at(0, Syntax::default)).await;
        assert!(waits.is_err(), "they may leave at any time: {waits:?}");
        for taken in &mut held {
            // Without an account of its own, what has passed is what counts.
            let overdue = Arc::new(Work { begun: Instant::now() - 2 * BUDGET, account: None.into() });
            room.busy.lock().expect("nobody failed").retain(|other| !Arc::ptr_eq(other, &taken.work));
            room.busy.lock().expect("nobody failed").push(overdue.clone());
            taken.work = overdue;
        }
        assert_eq!(room.look_at(0, Syntax::default).await.expect_err("no place").code(), 503);
        drop(held);
        assert_eq!(room.look_at(0, Syntax::default).await, Ok(Syntax::default()));
    }
}
