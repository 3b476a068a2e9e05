# SPDX-License-Identifier: MIT
"""Reports of `nvrtl check --format=json` against docs/findings.schema.json. As a program: findings_schema.py FILE..."""
import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:  # another python than Debian's own, which python3-jsonschema is for
    sys.path.append('/usr/lib/python3/dist-packages')
    import jsonschema

PATH = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'findings.schema.json'


def closed(part):
    """The schema with every key of every object named: what is written is to be described, too."""
    if isinstance(part, list):
        return [closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    whole = {key: closed(value) for key, value in part.items()}
    if part.get('type') == 'object' and 'properties' in part:
        whole['additionalProperties'] = False
    return whole


def validator():
    schema = json.loads(PATH.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(closed(schema))


def problems(document):
    """Sentences; none: it is valid."""
    return [f'{"/".join(map(str, error.absolute_path))}: {error.message[:300]}'
            for error in VALIDATOR.iter_errors(document)]


def load(path):
    """The report in a file. One that is not valid is an AssertionError."""
    document = json.loads(pathlib.Path(path).read_text())
    found = problems(document)
    assert not found, f'{path} does not follow {PATH.name}: ' + '; '.join(found[:5])
    return document


VALIDATOR = validator()

if __name__ == '__main__':
    for name in sys.argv[1:]:
        load(name)
