"""The official Python SDKs against the gateway. Usage: sdks.py URL KEY OPENAI_MODEL ANTHROPIC_MODEL

Prints one JSON object a line, {"check": NAME, "result": …}; what is expected is the caller's business.
"""

import json
import sys

import anthropic
import openai

url, key, *models = sys.argv[1:]
oai = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
ant = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)


def report(check, result):
    print(json.dumps({"check": check, "result": result}), flush=True)


OPENAI_TOOL = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}}}
ANTHROPIC_TOOL = {"name": "get_time", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}}

for model in models:
    hello = [{"role": "user", "content": "héllo 😀"}]
    report(f"openai chat {model}", oai.chat.completions.create(model=model, messages=hello).choices[0].message.content)
    with oai.chat.completions.stream(model=model, messages=hello) as stream:
        report(f"openai stream {model}", stream.get_final_completion().choices[0].message.content)
    message = ant.messages.create(model=model, max_tokens=100, messages=hello)
    report(f"anthropic message {model}", message.content[0].text)
    with ant.messages.stream(model=model, max_tokens=100, messages=hello) as stream:
        report(f"anthropic stream {model}", stream.get_final_message().content[0].text)
    asks = [{"role": "user", "content": "get_time"}]
    call = oai.chat.completions.create(model=model, messages=asks, tools=[OPENAI_TOOL]).choices[0].message.tool_calls[0]
    with oai.chat.completions.stream(model=model, messages=asks, tools=[OPENAI_TOOL]) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
    report(f"openai tools {model}", json.loads(call.function.arguments) == json.loads(streamed.function.arguments))
    block = ant.messages.create(model=model, max_tokens=100, messages=asks, tools=[ANTHROPIC_TOOL]).content[-1]
    with ant.messages.stream(model=model, max_tokens=100, messages=asks, tools=[ANTHROPIC_TOOL]) as stream:
        streamed = stream.get_final_message().content[-1]
    report(f"anthropic tools {model}", block.input == streamed.input and block.name == streamed.name)

report("embeddings", len(oai.embeddings.create(model=models[0], input=["a", "b"], dimensions=16).data[1].embedding))
report("models", sorted(model.id for model in oai.models.list()))
report("anthropic models", sorted(model.id for model in ant.models.list()))
report("count_tokens", ant.messages.count_tokens(model=models[1], messages=[{"role": "user", "content": "x" * 400}]).input_tokens > 50)

for name, call in [
    ("openai unknown model", lambda: oai.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "x"}])),
    ("anthropic unknown model", lambda: ant.messages.create(model="nothing", max_tokens=9, messages=[{"role": "user", "content": "x"}])),
    ("openai wrong key", lambda: oai.with_options(api_key="sk-wrong").models.list()),
    ("openai bad request", lambda: oai.chat.completions.create(model=models[0], messages=[])),
]:
    try:
        call()
        report(name, "no error")
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        report(name, type(error).__name__)
