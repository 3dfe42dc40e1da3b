//! A small expression parser and evaluator; it's a sample for the syntax tests.
#![allow(dead_code, unused_variables)]

use std::collections::{hash_map::Entry, BTreeMap, HashMap as Map};
use std::fmt::{self, Display, Formatter, Write as _};
use std::{io::prelude::*, rc::Rc};

extern crate core as base;

pub(crate) mod tokens {
    /// One token; `'a` is the source's lifetime.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub enum Token<'a> {
        Number(f64),
        Name(&'a str),
        Symbol(char),
        Text { raw: &'a [u8], quoted: bool },
        End = 0,
    }

    impl<'a> Token<'a> {
        pub const fn is_end(&self) -> bool {
            matches!(self, Token::End | Token::Symbol('\0'))
        }
    }
}

use tokens::Token;

const SYMBOLS: &[char] = &['+', '-', '*', '/', '(', ')', '\'', '\\', '\n', '\u{e9}', '"'];
static GREETING: &str = "say \"hi\"\n\
    and go on \\ \u{1F600}";
const RAW: &str = r#"a "raw" string with \n in it"#;
const BYTES: [u8; 3] = [b'a', b'\'', 0x0f];
const BYTE_STRING: &[u8] = b"bytes \x41";
const LIMIT: usize = 1_000_usize + 0b11 + 0o7 + 0xff;

#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    Unexpected { at: usize, found: String },
    Unknown(String),
    DivisionByZero,
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { at, found } if *at > 0 => write!(f, "unexpected {found:?} at {at}"),
            Self::Unexpected { found, .. } => write!(f, "unexpected {}", found),
            Self::Unknown(name) => write!(f, "unknown name `{name}`"),
            Self::DivisionByZero => f.write_str("division by zero"),
        }
    }
}

impl std::error::Error for Error {}

type Result<T, E = Error> = std::result::Result<T, E>;

pub trait Node: fmt::Debug {
    type Value: Copy + Default;
    const ARITY: usize = 2;

    fn eval(&self, scope: &Scope<'_>) -> Result<Self::Value>;

    fn depth(&self) -> usize {
        1
    }
}

#[derive(Debug, Default)]
pub struct Scope<'p> {
    names: Map<String, f64>,
    parent: Option<&'p Scope<'p>>,
    hits: std::cell::Cell<u32>,
}

struct Unit;
struct Pair<A, B = A>(pub A, B);

impl<'p> Scope<'p> {
    pub fn child(&'p self) -> Scope<'p> {
        Scope { parent: Some(self), ..Default::default() }
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.hits.set(self.hits.get() + 1);
        self.names.get(name).copied().or_else(|| self.parent?.get(name))
    }

    pub fn set<N>(&mut self, name: N, value: f64) -> &mut Self
    where
        N: Into<String>,
    {
        match self.names.entry(name.into()) {
            Entry::Occupied(mut slot) => {
                slot.insert(value);
            }
            Entry::Vacant(slot) => drop(slot.insert(value)),
        }
        self
    }
}

#[derive(Debug)]
enum Expr {
    Number(f64),
    Name(Box<str>),
    Binary(Box<Expr>, char, Box<Expr>),
    Call { name: String, args: Vec<Expr> },
}

impl Node for Expr {
    type Value = f64;

    fn eval(&self, scope: &Scope<'_>) -> Result<f64> {
        Ok(match self {
            Expr::Number(value) => *value,
            Expr::Name(name) => scope.get(name).ok_or_else(|| Error::Unknown(name.to_string()))?,
            Expr::Binary(left, op @ ('+' | '-' | '*'), right) => {
                let (l, r) = (left.eval(scope)?, right.eval(scope)?);
                match op {
                    '+' => l + r,
                    '-' => l - r,
                    _ => l * r,
                }
            }
            Expr::Binary(left, '/', right) => {
                let divisor = right.eval(scope)?;
                if divisor == 0.0 {
                    return Err(Error::DivisionByZero);
                }
                left.eval(scope)? / divisor
            }
            Expr::Binary(_, other, _) => unreachable!("operator {other}"),
            Expr::Call { name, args } => {
                let values = args.iter().map(|arg| arg.eval(scope)).collect::<Result<Vec<_>>>()?;
                match (name.as_str(), values.as_slice()) {
                    ("max", [first, rest @ ..]) => rest.iter().fold(*first, |a, &b| if a > b { a } else { b }),
                    ("pi", []) => std::f64::consts::PI,
                    ("clamp", &[value, low, high]) => value.max(low).min(high),
                    (_, _) => return Err(Error::Unknown(format!("{}/{}", name, values.len()))),
                }
            }
        })
    }

    fn depth(&self) -> usize {
        match self {
            Self::Binary(l, _, r) => 1 + l.depth().max(r.depth()),
            Self::Call { args, .. } => 1 + args.iter().map(Node::depth).max().unwrap_or(0),
            _ => 1,
        }
    }
}

pub struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    fn take_while<F: FnMut(char) -> bool>(&mut self, mut test: F) -> &'a str {
        let start = self.at;
        while let Some(c) = self.source[self.at..].chars().next() {
            if !test(c) {
                break;
            }
            self.at += c.len_utf8();
        }
        &self.source[start..self.at]
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<Token<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take_while(char::is_whitespace);
        let c = self.source[self.at..].chars().next()?;
        Some(match c {
            '0'..='9' | '.' => {
                let digits = self.take_while(|c| c.is_ascii_digit() || c == '.');
                digits.parse().map(Token::Number).map_err(|_| Error::Unexpected { at: self.at, found: digits.to_owned() })
            }
            'a'..='z' | 'A'..='Z' | '_' => Ok(Token::Name(self.take_while(|c| c.is_alphanumeric() || c == '_'))),
            _ if SYMBOLS.contains(&c) => {
                self.at += c.len_utf8();
                Ok(Token::Symbol(c))
            }
            _ => Err(Error::Unexpected { at: self.at, found: c.into() }),
        })
    }
}

macro_rules! scope {
    () => { Scope::default() };
    ($($name:ident = $value:expr),+ $(,)?) => {{
        let mut scope = Scope::default();
        $( scope.set(stringify!($name), $value as f64); )+
        scope
    }};
}

fn precedence(op: char) -> Option<u8> {
    let level = match op {
        '+' | '-' => 1,
        '*' | '/' => 2,
        _ => return None,
    };
    Some(level)
}

struct Parser<'a, I: Iterator<Item = Result<Token<'a>>>> {
    tokens: std::iter::Peekable<I>,
    depth: u16,
}

impl<'a, I> Parser<'a, I>
where
    I: Iterator<Item = Result<Token<'a>>>,
{
    fn expression(&mut self, minimum: u8) -> Result<Expr> {
        let mut left = self.atom()?;
        while let Some(&Ok(Token::Symbol(op))) = self.tokens.peek() {
            let Some(level) = precedence(op) else { break };
            if level < minimum {
                break;
            }
            self.tokens.next();
            let right = self.expression(level + 1)?;
            left = Expr::Binary(Box::new(left), op, Box::new(right));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Expr> {
        self.depth = self.depth.checked_add(1).expect("deep");
        let token = self.tokens.next().transpose()?.unwrap_or(Token::End);
        if let Token::Number(value) = token {
            Ok(Expr::Number(value))
        } else if let Token::Name(name) = token {
            if self.tokens.next_if(|t| matches!(t, Ok(Token::Symbol('(')))).is_none() {
                return Ok(Expr::Name(name.into()));
            }
            let mut args = vec![];
            loop {
                match self.tokens.peek() {
                    Some(Ok(Token::Symbol(')'))) => {
                        let _ = self.tokens.next();
                        break Ok(Expr::Call { name: name.to_string(), args });
                    }
                    None => break Err(Error::Unexpected { at: 0, found: String::new() }),
                    _ => args.push(self.expression(0)?),
                }
            }
        } else {
            Err(Error::Unexpected { at: usize::MAX, found: format!("{token:?}") })
        }
    }
}

/// Evaluates.
///
/// ```
/// assert_eq!(evaluate("1 + 2"), Ok(3.0));
/// ```
pub fn evaluate(source: &str) -> Result<f64> {
    let tokens = Lexer::new(source).peekable();
    let scope = scope!(one = 1, two = 2.5, three = 3,);
    Parser { tokens, depth: 0 }.expression(0).and_then(|expr| expr.eval(&scope.child()))
}

async fn fetch<T: ?Sized + AsRef<str>>(url: &T) -> std::io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(1 << 10);
    let connect = async move |host: String| host.len();
    let _ = std::future::ready(url.as_ref().len() as u32).await;
    buffer.extend_from_slice(BYTE_STRING);
    Ok(buffer)
}

pub unsafe extern "C" fn peek(pointer: *const u8, offset: isize) -> u8 {
    unsafe { *pointer.offset(offset) }
}

fn apply(operations: &[(&str, Box<dyn Fn(i64) -> i64 + Send + 'static>)]) -> impl Iterator<Item = i64> + '_ {
    operations.iter().enumerate().map(|(i, (name, operation))| {
        let value = operation(i as i64) << 1 >> 1 & !0 | 0;
        debug_assert!(name.len() < LIMIT, "too long: {}", name);
        value
    })
}

fn main() {
    let text = std::env::args().skip(1).collect::<Vec<String>>().join(" ");
    'retry: for attempt in (0..=3).rev() {
        match evaluate(&text) {
            Ok(value) if value.is_finite() => println!("{value:>8.2} {0:#x} {attempt}", 255),
            Ok(_) => continue 'retry,
            Err(error) => {
                eprintln!("{}: {}", attempt, error);
                if attempt % 2 == 0 { break 'retry; }
            }
        }
    }
    let mut tree: BTreeMap<&str, Rc<Vec<i32>>> = BTreeMap::new();
    *tree.entry("a").or_default() = Rc::new([1, 2, 3].to_vec());
    let Pair(first, second) = Pair::<_, u8>(1.5f32, 2);
    let closure = move |x: i32, ref y: &i32| -> i32 { x + **y + first as i32 + i32::from(second) };
    let _: () = drop(closure);
}

#[cfg(all(test, not(feature = "slow")))]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "division")]
    fn divides() {
        assert!((evaluate("1 / 0").unwrap() - 1.0).abs() < f64::EPSILON);
    }
}
