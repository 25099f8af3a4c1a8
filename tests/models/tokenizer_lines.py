"""Lines of mixed text to try a tokenizer with: many scripts, code, emoji, controls, random bytes.

Everything comes from a seed, so that the same lines can be made anywhere.
"""

import random

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "It's 9:30 a.m. on 2024-02-29; the total is $1,234.56 (approx. 7.5%)!",
    "Don't you think we'd've known, if they'd said so?",
    "Victor jagt zwölf Boxkämpfer quer über den großen Sylter Deich.",
    "Voix ambiguë d'un cœur qui, au zéphyr, préfère les jattes de kiwis.",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío, ¿añoraba?",
    "Luís argüia à Júlia que brações, fé, chá, óxido, pôr, zângão eram palavras.",
    "Pchnąć w tę łódź jeża lub ośm skrzyń fig.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Pijamalı hasta yağız şoföre çabucak güvendi.",
    "Đây là một câu tiếng Việt có đủ các dấu thanh: à á ả ã ạ.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Жебракують філософи при ґанку церкви в Гадячі, ще й шатро їхнє п'яне знаємо.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה.",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر.",
    "بر اثر چنین تلقین و شستشوی مغزی جامعی، سطح و پایه‌ی ذهن و فهم بعضی.",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश।",
    "আমি বাংলায় গান গাই, আমি বাংলার গান গাই।",
    "யாமறிந்த மொழிகளிலே தமிழ்மொழி போல் இனிதாவது எங்கும் காணோம்.",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "いろはにほへと ちりぬるを わかよたれそ つねならむ。カタカナも混ぜる。",
    "東京都渋谷区で、二〇二四年に開催された国際会議。",
    "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。",
    "다람쥐 헌 쳇바퀴에 타고파. 키스의 고유조건은 입술끼리 만나야 한다.",
    "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "Բել դղյակի ձախ ժամն օֆ ազգությանը ցպահանջ չճշտած վնաս էր։",
    "ሰው እንደቤቱ እንጅ እንደ ጉረቤቱ አይተዳደርም።",
    "မြန်မာဘာသာစကား နှင့် ယဉ်ကျေးမှု",
    "ភាសាខ្មែរ គឺជាភាសាកំណើត",
    "ᚠᛇᚻ᛫ᛒᛦᚦ᛫ᚠᚱᚩᚠᚢᚱ᛫ᚠᛁᚱᚪ᛫ᚷᛖᚻᚹᛦᛚᚳᚢᛗ",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕞𝕒𝕥𝕙 𝟙𝟚𝟛, ﬁne ligatures, ①②③ and ½ + ⅓",
]
CODE = [
    "def f(x: int = 0) -> str:\n\treturn f\"{x!r:>10}\"  # comment\n",
    "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }\n",
    "#include <vector>\nstd::vector<std::unique_ptr<T>> v{};\n",
    "SELECT a.id, COUNT(*) FROM t AS a WHERE a.x >= 10 GROUP BY 1;",
    "<div class=\"row\"><p>a &amp; b</p></div><table><tr><td>1</td></tr></table>",
    "{\"key\": [1, 2.5e-10, null, true], \"nested\": {\"a\\n\": \"\\u00e9\"}}",
    "fn main() -> Result<(), Box<dyn Error>> { println!(\"{:?}\", x?); Ok(()) }",
    "$ ls -la /usr/bin | grep -E '^d' && echo \"$HOME\" > ~/out.txt 2>&1",
    "    if a:\n        b()\n    else:\n            c()\r\n",
    "\\begin{equation} \\frac{\\partial f}{\\partial x} = \\sum_{i=0}^{\\infty} x_i^2 \\end{equation}",
    "0x7fff_ffff 1_000_000 3.14159265358979 -1e+308 0b1010 077",
]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇯🇵", "❤️", "☃", "🧑🏿‍🚀", "✔️", "🫠", "\U0001fae8", "⌨️"]
SPECIAL = ["<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<s>", "</s>", "<start_of_turn>",
           "<end_of_turn>", "<unused0>", "<unused99>", "<unused6241>", "[multimodal]", "<table>",
           "</td>", "<h1>", "<start_of_image>", "<0x41>", "<0xFF>", "<|im_end|>", "<bo", "os>",
           "<<bos>>", "< bos>", "<BOS>", "[@BOS@]"]
RANGES = [(0x20, 0x7e), (0xa0, 0x24f), (0x250, 0x36f), (0x370, 0x5ff), (0x600, 0x6ff),
          (0x900, 0xdff), (0xe00, 0xfff), (0x1000, 0x1fff), (0x2000, 0x2bff), (0x2e80, 0x33ff),
          (0x3400, 0x9fff), (0xa000, 0xabff), (0xac00, 0xd7a3), (0xe000, 0xf8ff), (0xf900, 0xffff),
          (0x10000, 0x10fff), (0x12000, 0x12fff), (0x1d400, 0x1d7ff), (0x1f300, 0x1faff),
          (0x20000, 0x2ffff), (0xe0000, 0xe01ff), (0x10fff0, 0x10ffff)]
SPACES = [" ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u200b", "\u3000", "▁", "\x0b", "\x85"]


def words(rng):
    picked = rng.choice(SENTENCES).split(" ")
    rng.shuffle(picked)
    return " ".join(picked[: rng.randint(1, 8)])


def unicode_text(rng):
    low, high = rng.choice(RANGES)
    return "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 40)))


def spaces(rng):
    return "".join(rng.choice(SPACES) * rng.choice([1, 1, 2, 3, 7, 33, 100])
                   for _ in range(rng.randint(1, 4)))


def runs(rng):
    return "".join(rng.choice("a=-_.#*/0! é中😀") * rng.randint(1, 60) for _ in range(3))


def controls(rng):
    return "".join(chr(rng.choice([*range(32), 127])) for _ in range(rng.randint(1, 12)))


def numbers(rng):
    return rng.choice(["{}", "{:,}", "-{}", "{}.{}", "{}:{}", "{}e{}"]).format(
        rng.randint(0, 10**rng.randint(1, 18)), rng.randint(0, 999))


def random_bytes(rng):
    return bytes(rng.randint(0, 255) for _ in range(rng.randint(1, 40)))


def broken_utf8(rng):
    text = bytearray(rng.choice(SENTENCES + EMOJI).encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        if rng.random() < 0.5:
            text[at] = rng.randint(0x80, 0xff)
        elif len(text) > 1:
            del text[at]
    return bytes(text)


def pieces(rng, vocabulary):
    return "".join(rng.choice(vocabulary) for _ in range(rng.randint(1, 10)))


SOURCES = [lambda rng: rng.choice(SENTENCES), words, unicode_text, spaces, runs, controls, numbers,
           random_bytes, broken_utf8, lambda rng: rng.choice(CODE),
           lambda rng: rng.choice(EMOJI) * rng.randint(1, 3), lambda rng: rng.choice(SPECIAL)]


def lines(count, seed, vocabulary):
    """`count` byte strings; the first few are fixed edge cases, the rest follow from the seed.

    `vocabulary` is a list of token texts, used as one more source of words.
    """
    fixed = [b"", b" ", b"  ", b"\n", b"\0", b"a", b"The meaning to life and the universe is"]
    fixed += [text.encode() for text in SENTENCES + CODE + EMOJI + SPECIAL]
    rng = random.Random(seed)
    sources = SOURCES + [lambda generator: pieces(generator, vocabulary)] * 3
    result = fixed[:count]
    while len(result) < count:
        parts = [rng.choice(sources)(rng) for _ in range(rng.choice([1, 1, 2, 3, 5]))]
        glue = rng.choice(["", "", " ", "\n"]).encode()
        result.append(glue.join(p if isinstance(p, bytes) else p.encode() for p in parts))
    return result
