"""`rlms` with its local environment: every REPL in this one process, sub-agents in threads."""

from rlm import RLM
from serve import serve


def play(request):
    agent = RLM(
        backend="openai",
        backend_kwargs={"model_name": request["model"], "base_url": request["base_url"], "api_key": "scripted"},
        environment="local",
        # The root has depth 0, and at the greatest depth there is no REPL any more.
        max_depth=request["max_depth"] + 1,
        max_concurrent_subcalls=request["max_parallel"],
    )
    return agent.completion(request["task"]).response


serve(play)
