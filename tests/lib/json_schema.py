# SPDX-License-Identifier: BSD-3-Clause
# Checks a value against a JSON Schema, as far as our own schemas use it. A keyword that is not known
# here is an error, so that none is passed over in silence.
import re

TYPES = {
    'object': dict,
    'array': list,
    'string': str,
    'boolean': bool,
    'null': type(None),
    'integer': int,
    'number': (int, float),
}
SILENT = {'$schema', 'title', 'description'}


def is_type(value, name):
    return isinstance(value, TYPES[name]) and (name == 'boolean' or not isinstance(value, bool))


def check_object(schema, value, at):
    known = schema.get('properties', {})
    for name in schema.get('required', []):
        if name not in value:
            yield f'{at}: {name} is missing'
    for name, part in value.items():
        sub = known.get(name, schema.get('additionalProperties', True))
        if sub is False:
            yield f'{at}: {name} is not in the schema'
        elif sub is not True:
            yield from errors(sub, part, f'{at}.{name}')


def check_array(schema, value, at):
    if not schema.get('minItems', 0) <= len(value) <= schema.get('maxItems', len(value)):
        yield f'{at}: {len(value)} elements'
    for i, part in enumerate(value):
        yield from errors(schema.get('items', {}), part, f'{at}[{i}]')


CHECKS = {
    'type': lambda want, v: any(is_type(v, t) for t in ([want] if isinstance(want, str) else want)),
    'const': lambda want, v: v == want,
    'enum': lambda want, v: v in want,
    'minimum': lambda want, v: not isinstance(v, (int, float)) or v >= want,
    'pattern': lambda want, v: not isinstance(v, str) or re.search(want, v) is not None,
}
NESTED = {'required', 'properties', 'additionalProperties', 'items', 'minItems', 'maxItems'}


def errors(schema, value, at='$'):
    """Yields a line for each place where value is not what schema says."""
    for keyword, want in schema.items():
        if keyword in CHECKS:
            if not CHECKS[keyword](want, value):
                yield f'{at}: {value!r:.80} is against {keyword} {want}'
        elif keyword not in NESTED | SILENT:
            raise ValueError(f'json_schema.py does not know {keyword}')
    if isinstance(value, dict):
        yield from check_object(schema, value, at)
    if isinstance(value, list):
        yield from check_array(schema, value, at)
