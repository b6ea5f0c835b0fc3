"""Checks compose files and manifests against the schemas of those who read them.

Each file is given as KIND=PATH, KIND one of `compose` and `kubernetes`. Prints what is wrong, and
exits with 1 if anything is.
"""

import sys

import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator
from compose_spec import ComposeSpecification

# Kinds that are not of Kubernetes itself.
FOREIGN = {
    ("keda.sh/v1alpha1", "ScaledObject"): keda.ScaledObject,
    ("monitoring.coreos.com/v1", "PodMonitor"): prometheus_operator.PodMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): prometheus_operator.PrometheusRule,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): prometheus_operator.ServiceMonitor,
}


def lost(given, kept, at=""):
    """Where a model dropped a key: it does not know it."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key not in kept:
                yield f"{at}.{key} is unknown"
            else:
                yield from lost(value, kept[key], f"{at}.{key}")
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (one, other) in enumerate(zip(given, kept)):
            yield from lost(one, other, f"{at}[{index}]")


def by_model(model, document):
    parsed = model.model_validate(document)
    kept = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    yield from lost(document, kept)


def faults(kind, document):
    if kind == "compose":
        # `x-` is for what others do not read.
        document = {key: value for key, value in document.items() if not key.startswith("x-")}
        yield from by_model(ComposeSpecification, document)
        return
    model = FOREIGN.get((document["apiVersion"], document["kind"]))
    if model:
        yield from by_model(model, document)
    else:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


wrong = 0
for argument in sys.argv[1:]:
    kind, _, path = argument.partition("=")
    with open(path, encoding="utf-8") as file:
        for document in yaml.safe_load_all(file):
            try:
                found = list(faults(kind, document))
            except Exception as error:  # Each library has its own, and all say what is wrong.
                found = [getattr(error, "message", str(error))]
            for fault in found:
                wrong += 1
                print(f"{path}: {document.get('kind', kind)}: {fault}")
sys.exit(1 if wrong else 0)
