#!/usr/bin/env python3
"""The software bill of materials as CycloneDX 1.5 JSON, from `cargo metadata`.

    packaging/sbom.py [-o FILE]        default: stdout

Promises: every crate that a program of this workspace is built from, with version, licence, source and checksum where Cargo knows it;
test-only crates are left out; no time and no random number, so the same Cargo.lock gives the same bytes. Needs the locked crates at
hand (it works offline).
"""
import argparse
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def reachable(meta):
    """Ids of the packages that the workspace needs to build or run."""
    nodes = {node['id']: node for node in meta['resolve']['nodes']}
    seen, open_ids = set(), list(meta['workspace_members'])
    while open_ids:
        package = open_ids.pop()
        if package in seen:
            continue
        seen.add(package)
        for dependency in nodes[package]['deps']:
            if any(kind['kind'] != 'dev' for kind in dependency['dep_kinds']):
                open_ids.append(dependency['pkg'])
    return seen, nodes


def checksums():
    """{(name, version): sha256} of Cargo.lock."""
    text = (ROOT / 'Cargo.lock').read_text()
    found = re.findall(r'name = "(.*?)"\nversion = "(.*?)"\nsource = ".*?"\nchecksum = "(.*?)"', text)
    return {(name, version): digest for name, version, digest in found}


def component(package, digests):
    name, version = package['name'], package['version']
    part = {'type': 'library', 'bom-ref': f'{name}@{version}', 'name': name, 'version': version, 'purl': f'pkg:cargo/{name}@{version}'}
    if package.get('license'):
        part['licenses'] = [{'expression': package['license'].replace('/', ' OR ')}]
    if (name, version) in digests:
        part['hashes'] = [{'alg': 'SHA-256', 'content': digests[name, version]}]
    if package.get('repository'):
        part['externalReferences'] = [{'type': 'vcs', 'url': package['repository']}]
    return part


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument('-o', '--output')
    output = arguments.parse_args().output
    command = ['cargo', 'metadata', '--format-version', '1', '--locked', '--offline']
    meta = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    ids, nodes = reachable(meta)
    packages = {package['id']: package for package in meta['packages']}
    own = set(meta['workspace_members'])
    digests = checksums()
    order = sorted(ids, key=lambda i: (packages[i]['name'], packages[i]['version']))
    reference = lambda i: f"{packages[i]['name']}@{packages[i]['version']}"
    version = next(packages[i]['version'] for i in order if i in own)
    bom = {
        'bomFormat': 'CycloneDX', 'specVersion': '1.5', 'version': 1,
        'metadata': {'component': {'type': 'application', 'bom-ref': 'ja4-platform', 'name': 'ja4-platform', 'version': version}},
        'components': [component(packages[i], digests) for i in order],
        'dependencies': [{'ref': 'ja4-platform', 'dependsOn': [reference(i) for i in order if i in own]}]
        + [{'ref': reference(i), 'dependsOn': sorted({reference(d['pkg']) for d in nodes[i]['deps'] if d['pkg'] in ids})} for i in order],
    }
    text = json.dumps(bom, indent=1, sort_keys=True) + '\n'
    if output:
        pathlib.Path(output).write_text(text)
    else:
        print(text, end='')


if __name__ == '__main__':
    main()
