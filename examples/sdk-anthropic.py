# The official Anthropic package through Sluice, with whatever provider behind it. The base URL has no /v1: the SDK adds it.
#
#   pip install anthropic
#   SLUICE_KEY=sk-sluice-… python sdk-anthropic.py
import os

from anthropic import Anthropic

client = Anthropic(
    base_url=os.environ.get("SLUICE_URL", "http://localhost:8080"),
    api_key=os.environ["SLUICE_KEY"],
)
model = os.environ.get("SLUICE_MODEL", "echo")
messages = [{"role": "user", "content": "Hello from the Anthropic package!"}]

message = client.messages.create(model=model, max_tokens=200, messages=messages)
print(message.content[0].text)

with client.messages.stream(model=model, max_tokens=200, messages=messages) as stream:
    for text in stream.text_stream:
        print(text, end="")
print()

print("prompt tokens:", client.messages.count_tokens(model=model, messages=messages).input_tokens)
