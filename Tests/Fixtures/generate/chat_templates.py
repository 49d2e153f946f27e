"""Writes Tests/Fixtures/chat/cases.json: what jinja2, set up as in `transformers`, makes of real chat templates.

    pip install jinja2==3.1.6 transformers==5.23.0
    python Tests/Fixtures/generate/chat_templates.py

Each template of Tests/Fixtures/chat/*.jinja is rendered for every conversation, with and without tools and the
generation prompt. A rendering that the template refuses is recorded as its message. snippets.json holds small
templates, one for a construct, with what they give.
"""

import datetime
import json
import pathlib

import jinja2
from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "chat"
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather", "description": "The weather of a place, \"now\" or later.\nIn Celsius.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A city, é or 世界"},
                "days": {"type": "integer", "default": 1}, "units": {"type": "string", "enum": ["C", "F"]},
                "detailed": {"type": "boolean"}, "factor": {"type": "number", "minimum": 1e-05, "maximum": 2.5e+16},
            },
            "required": ["place"],
        },
        "return": {"type": "string"},
    },
}
CLOCK = {"type": "function", "function": {
    "name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {}}}}

user = lambda text: {"role": "user", "content": text}
assistant = lambda text, **more: {"role": "assistant", "content": text, **more}
system = lambda text: {"role": "system", "content": text}


def call(name, arguments, id="abc123def"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


CONVERSATIONS = {
    "one turn": [user("Hello!")],
    "system": [system("Be brief.\n  Be kind. "), user("Hello!")],
    "turns": [system("S"), user("a"), assistant("b"), user("c"), assistant(" d \n"), user("e")],
    "no system turns": [user(" a\n"), assistant("b"), user("c")],
    "unicode": [system("Ünïcödé"), user("世界 🙂‍↔️ e\u0301 \u2028 \u00a0x\u00a0"), assistant("ن \u200b"), user("\u3000\t")],
    "empty": [system(""), user(""), assistant(""), user("")],
    "markup": [user("<|im_end|> </s> {{ 1 }} {% if %} \"quotes\" 'single' \\ & < >"), assistant("{}"), user("`x`\r\n\tend")],
    "thinking": [user("1+1?"), assistant("<think>\nhm\n</think>\n\n2"), user("2+2?"), assistant("4", reasoning_content="easy\n"), user("?")],
    "called": [
        user("Weather?"), assistant("", tool_calls=[call("weather", {"place": "Ulm", "days": 2, "f": 0.1, "n": None, "t": True})]),
        {"role": "tool", "name": "weather", "tool_call_id": "abc123def", "content": "rain, 7 °C"},
        assistant("Rain."), user("Thanks"),
    ],
    "called twice": [
        system("Use tools."), user("Both?"),
        assistant("Wait.", tool_calls=[call("weather", {"place": "Ulm"}), call("clock", {}, "xyz987uvw")]),
        {"role": "tool", "name": "weather", "tool_call_id": "abc123def", "content": "{\"t\": 7}"},
        {"role": "tool", "name": "clock", "tool_call_id": "xyz987uvw", "content": "12:00"},
        assistant("Done."), user("Thanks"),
    ],
    "two users": [user("a"), user("b")],
    "assistant first": [assistant("a"), user("b")],
    "parts": [user([{"type": "text", "text": "in parts"}, {"type": "text", "text": "!"}])],
}
VARIANTS = [
    {"add_generation_prompt": True}, {"add_generation_prompt": False}, {"add_generation_prompt": True, "tools": [WEATHER, CLOCK]},
    {"add_generation_prompt": True, "enable_thinking": False, "date_string": "1 Jan 2026"},
]


# What strftime_now shows: noon, so that the day is the same in most time zones.
NOW = datetime.datetime(2026, 1, 1, 12)


def render(source, messages, options):
    _compile_jinja_template(source).globals["strftime_now"] = NOW.strftime
    try:
        rendered, _ = render_jinja_template(
            [messages], chat_template=source, **{"tools": None, **options}, **SPECIAL)
        return {"text": rendered[0]}
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, AttributeError) as error:
        refused = type(error) is jinja2.exceptions.TemplateError
        return {"refused": str(error)} if refused else {"failed": type(error).__name__}


# Small templates for what the real ones use, and for what is easily got wrong.
SNIPPETS = r'''
{{ 1 }}{{ 'a' }}{{ none }}{{ true }}{{ missing }}{{ 1.0 }}{{ 1e20 }}{{ 1e-7 }}{{ 0.1 + 0.2 }}{{ -3 // 2 }}{{ -3 % 2 }}{{ 7 / 2 }}{{ 2 ** 10 }}
{{ [1, 'a', none, true, 1.5, [], {}] }}{{ (1,) }}{{ (1, 2) }}{{ {'a': 1, 'b': [2], 3: 'c'} }}{{ ["it's", 'say "x"', 'both\'"', '\n\t\\\x00é\u200b'] }}
{% for x in [1, 2, 3] %}{{ loop.index }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in [] %}x{% else %}none{% endfor %}{% for x in [1, 2, 3, 4] if x % 2 == 0 %}{{ loop.index0 }}{{ x }}{% else %}e{% endfor %}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}
{% set ns = namespace(a=1, b='') %}{% for i in range(4) %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b ~ i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}
{% macro m(a, b='B', c=none) %}[{{ a }}{{ b }}{{ c }}{{ d }}]{% endmacro %}{% set d = 'D' %}{{ m(1) }}{{ m(1, c=2) }}{{ m() ~ m(b=m('x')) }}
{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) | upper | replace('2', 'zwei') }}
{% macro outer(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) outer('q') %}{{ y }}!{% endcall %}{% filter upper %}abc{{ 'd' }}{% endfilter %}
{% set t %}  block {{ 1 }} {% endset %}[{{ t }}][{{ t | trim }}]{% set u | trim | upper %} y {% endset %}[{{ u }}]{% set a, b = 1, 2 %}{{ a + b }}
a   {%- if true %}  b  {%- endif -%}   c {{- ' d ' -}}  e
  {% if true %}
  x
  {% endif %}
  {%+ if true +%}
 y {# comment #}
  {% endif %}
 {#- gone -#}   z
{% for i in [1, 2] %}
  - {{ i }}
{% endfor %}
end

{{ 'abcdef'[1:3] }}{{ 'abcdef'[::-1] }}{{ 'abc'[-1] }}{{ [1, 2, 3, 4][::2] }}{{ [1, 2, 3][1:] }}{{ [1, 2, 3][:-1] }}{{ [1, 2, 3][5:] }}{{ [1, 2][9] }}{{ 'é世🙂x'[1:3] }}{{ [1, 2, 3][-1:0:-1] }}
{{ 'a' in 'cat' }}{{ 'x' not in 'cat' }}{{ 1 in [1, 2] }}{{ 'k' in {'k': 1} }}{{ 2 in {} }}{{ '' in 'a' }}{{ missing in [1] }}{{ 1 in missing }}
{{ 1 < 2 <= 2 }}{{ 'a' < 'b' }}{{ 1 == 1.0 }}{{ 1 == true }}{{ '1' == 1 }}{{ [1] == [1] }}{{ {'a': 1} == {'a': 1} }}{{ missing == other }}{{ none == missing }}{{ 'é' == 'é' }}
{{ 1 if false }}{{ 'y' if 1 else 'n' }}{{ 'a' if false else 'b' if false else 'c' }}{{ not true or true and false }}{{ 0 or 'x' }}{{ 'x' and '' }}{{ not 1 == 2 }}
{{ ' a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'a,b,,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a b c'.split(' ', 1) }}|{{ 'a.b.c'.rsplit('.', 1) }}
{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'aXbX'.replace('X', '-') }}{{ 'aaa'.replace('a', 'b', 2) }}{{ 'Ab'.upper() }}{{ 'ÀB'.lower() }}{{ 'hello world'.capitalize() }}{{ 'abc'.find('c') }}{{ 'abab'.count('ab') }}{{ '-'.join(['a', 'b']) }}{{ 'a\nb\n'.splitlines() }}{{ 'ab'.removeprefix('a') }}
{{ 'x'.isdigit() }}{{ '12'.isdigit() }}{{ 'ab'.isalpha() }}{{ ''.isspace() }}{{ '{}-{}'.format('a', 1) }}{{ '{0}{1}{0} {n} {{}}'.format(1, 2, n='k') }}
{{ {'a': 1}.get('a') }}{{ {}.get('a') }}{{ {}.get('a', 'd') }}{{ {'a': 1}['a'] }}{{ {'a': 1}.a }}{{ {'a': 1}.b }}{{ {'items': 1}['items'] }}{{ {'a': {'b': [5]}}.a.b[0] }}{{ {'a': 1}.keys() | list }}{{ {'a': 1}.values() | list }}
{{ [3, 1, 2] | sort }}{{ ['b', 'A', 'c'] | sort }}{{ [1, 2] | join(', ') }}{{ ['a', 1, none] | join }}{{ [{'n': 1}, {'n': 2}] | join('-', attribute='n') }}{{ [3, 1] | first }}{{ [3, 1] | last }}{{ [1, 2] | length }}{{ 'é🙂' | length }}{{ {'a': 1} | length }}{{ [] | first }}
{{ [{'r': 'u', 'n': 1}, {'r': 'a', 'n': 2}] | selectattr('r', 'equalto', 'u') | map(attribute='n') | list }}{{ [{'r': 'u'}, {}] | rejectattr('r', 'defined') | list }}{{ [1, 0, 2] | select | list }}{{ ['a', 'b'] | reject('equalto', 'a') | list }}{{ ['a'] | map('upper') | join }}{{ [{'a': {'b': 7}}] | map(attribute='a.b') | list }}{{ [1, 2, 3] | select('odd') | list }}
{{ [1] if [] | select else 2 }}{% set it = [1, 2] | map('string') %}{{ it | list }}{{ it | list }}
{{ '  a ' | trim }}|{{ 'a' | upper }}|{{ 'A' | lower }}|{{ 'ab cd' | capitalize }}|{{ 'aba' | replace('a', 'x') }}|{{ 5 | string + 'x' }}|{{ '7' | int + 1 }}|{{ '7.9' | int }}|{{ 'x' | int }}|{{ 'x' | int(5) }}|{{ '1.5' | float }}|{{ -3 | abs }}|{{ 3.7 | int }}
{{ missing | default('d') }}{{ none | default('d') }}{{ none | default('d', true) }}{{ '' | default('d', boolean=true) }}{{ 0 | d('x') }}
{{ {'b': 1, 'a': [1, 2.5, none, true, 'é"\\\n\u2028</x>&']} | tojson }}
{{ {'b': 1, 'a': [1, {}], 'c': [], 'd': {}} | tojson(indent=2) }}{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}{{ [1, {'a': 2}] | tojson(separators=(',', ':')) }}{{ 'é🙂' | tojson(ensure_ascii=true) }}{{ [1.0, 1e22, 1e-5, 0.0001, 123456789012345680.0, 9007199254740993.0, 1e16] | tojson }}
{{ {'b': 1, 'a': 2} | dictsort }}{{ {'b': 1, 'a': 2} | items | list }}{{ [1, 2, 1] | unique | list }}{{ [1, 3, 2] | max }}{{ [1, 3, 2] | min }}{{ [1, 2] | sum }}{{ 'abc' | reverse }}{{ [1, 2] | reverse | list }}{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\nb' | indent('> ') }}
{{ x is defined }}{{ none is none }}{{ 1 is number }}{{ 1.5 is number }}{{ true is number }}{{ 'a' is string }}{{ {} is mapping }}{{ [] is iterable }}{{ 'a' is iterable }}{{ 1 is iterable }}{{ missing is iterable }}{{ [] is sequence }}{{ {} is sequence }}{{ 'a' is sequence }}{{ true is true }}{{ 1 is true }}{{ false is false }}{{ true is boolean }}{{ 1 is integer }}{{ 1.0 is float }}{{ 4 is divisibleby 2 }}{{ 3 is odd }}{{ 3 is even }}{{ 1 is not none }}{{ 1 is eq 1 }}{{ 2 is gt 1 }}{{ 'a' is in ['a'] }}{{ missing is undefined }}{{ 'a' is lower }}{{ x is not defined or x is none }}
{{ range(3) | list }}{{ range(1, 7, 2) | list }}{{ range(3, 0, -1) | list }}{% for i in range(2) %}{{ i }}{% endfor %}{{ range(5)[2] }}
{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for a in [1, 2] %}{% for b in [3] %}{{ loop.depth }}{{ loop.index0 }}{% endfor %}{{ loop.depth }}{{ loop.cycle('x', 'y') }}{{ loop.changed(a) }}{% endfor %}
{% generation %}said {{ 1 }}{% set q = 1 %}{% endgeneration %}{{ q is defined }}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}
{{ 'a' ~ 1 ~ none ~ missing ~ [1] }}{{ 'ab' * 3 }}{{ [0] * 2 }}{{ [1] + [2] }}{{ 'a' 'b' }}{{ - 3 }}{{ +2 }}{{ 1_000 }}{{ 2 - -1 }}{{ 2 + 3 * 4 }}{{ (2 + 3) * 4 }}{{ 'a' + 'b' | upper }}{{ -1 | abs }}{{ 10 - 2 - 3 }}
{{ "tab\tnew\\n \x41 \u00e9 \d" }}{{ 'quote\'s' }}{{ '{{ not }}' }}{{ "%}" }}{{ {'a': {'b': 1}}['a']['b'] }}{{ {} }}
{% set d = dict(a=1, b=2) %}{{ d.b }}{{ messages[0].role }}{{ messages[0]['content'] }}{{ messages | length }}{{ messages[-1].role }}
{{ strftime_now('%Y-%m-%d') | length }}{{ (1 | string) is string }}{{ ('a' | safe) is string }}{{ 'a' | safe ~ '<' }}{{ 'abc' | list }}{{ '12' | map('int') | list }}
{{ missing.x }}
{{ none.x.y }}
{{ 'a' + 1 }}
{{ 1 / 0 }}
{{ missing + 'a' }}
{{ 5 | length }}
{{ undefined_function() }}
{{ 1 < 'a' }}
{{ [] | tojson(indent=none) }}{{ missing | tojson }}
{{ raise_exception('no ' ~ 1) }}
{{ [1, 2] | nosuchfilter }}
{{ 1 is nosuchtest }}
{% for x in 5 %}{% endfor %}
{{ 'x' in none }}
{{ {'a': 1}.pop('a') }}
{{ [1].append(2) }}
{% set x = [] %}{{ x.append(1) }}
{% if %}{% endif %}
{% if true %}
{{ 'unclosed }}
{{ 1 + }}
{% unknown %}
{% endfor %}
{{ (1 }}
{{ 1 ]}}
'''


def snippets():
    compiled, results = [], []
    for source in SNIPPETS.strip("\n").split("\n"):
        compiled.append(source)
    # The lines about white space belong together.
    start = next(i for i, s in enumerate(compiled) if s.startswith("a   {%-"))
    end = next(i for i, s in enumerate(compiled) if s.startswith("{{ 'abcdef'[1:3]"))
    compiled[start:end] = ["\n".join(compiled[start:end]), "\n".join(compiled[start + 1:end]) + "\n\n"]
    compiled += ["\r\n{% if true %}\r\na\rb\n{% endif %}\r\n", "{{ 'a\r\nb' }}\n\n", "x\n  {{ 1 }}\n  {% set a = 1 %}\n", "", "\n", "{{ '' }}\n"]
    for source in compiled:
        try:
            text = _compile_jinja_template(source).render(messages=[user("hi"), assistant("yo")], tools=None, documents=None, **SPECIAL)
            results.append({"source": source, "text": text})
        except Exception as error:
            refused = type(error) is jinja2.exceptions.TemplateError
            results.append({"source": source, **({"refused": str(error)} if refused else {"failed": type(error).__name__})})
    return results


def main():
    cases, texts = [], {}
    for path in sorted(FOLDER.glob("*.jinja")):
        source = path.read_bytes().decode()
        for name, messages in CONVERSATIONS.items():
            for options in VARIANTS:
                result = render(source, messages, options)
                if "text" in result:
                    result["text"] = texts.setdefault(result["text"], len(texts))
                cases.append({"template": path.stem, "conversation": name, "options": VARIANTS.index(options), **result})
    fixture = {
        "special": SPECIAL, "now": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()),
        "conversations": CONVERSATIONS, "variants": VARIANTS, "texts": list(texts), "cases": cases,
    }
    (FOLDER / "cases.json").write_text(json.dumps(fixture, ensure_ascii=True, indent=None, separators=(",", ":")))
    (FOLDER / "snippets.json").write_text(json.dumps(snippets(), ensure_ascii=True, indent=1))
    refused = sum("refused" in c for c in cases)
    failed = sum("failed" in c for c in cases)
    print(f"{len(cases)} renderings, {refused} refused, {failed} failed, of {len(list(FOLDER.glob('*.jinja')))} templates")


main()
