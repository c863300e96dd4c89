"""The files that a new recipe starts with, as texts."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from goldsmith.model.recipe import NAME

SCHEMA_FILE = "recipe.schema.json"

RECIPE = """# yaml-language-server: $schema={schema}
name: {name}
version: 1.0.0
description: A web server
from: debian:trixie

packages:
  - cloud-init
  - nginx
  - openssh-server
  - sudo
  - systemd-resolved

components:
  - components/motd.yml

customizations:
  timezone:
    timezone: UTC
  user:
    - name: operator1
      description: Operator
      groups: [sudo]
      sudo: true
      shell: /bin/bash
      # key: ssh-ed25519 AAAA... you@example.invalid
  files:
    - path: /var/www/html/index.html
      source: site/index.html
      mode: 0644
  services:
    enabled: [nginx, ssh]
  sshd:
    password_authentication: false
    permit_root_login: no
  sysctl:
    net.ipv4.tcp_syncookies: 1

tests:
  - tests/test_web.py
"""

COMPONENT = """name: motd
description: Tells at login which image this is, and checks that the web server's settings are sound.
schemaVersion: 1.0

phases:
  - name: build
    steps:
      - name: WriteMotd
        action: CreateFile
        inputs:
          - path: /etc/motd
            content: |
              This machine was made from the golden image {name}. Change the recipe, not the machine.
            permissions: "0644"
            overwrite: true

  - name: validate
    steps:
      - name: NginxSettingsAreSound
        action: ExecuteBash
        inputs:
          commands:
            - nginx -t

  - name: test
    steps:
      - name: NginxIsActive
        action: ExecuteBash
        inputs:
          commands:
            - systemctl is-active nginx
"""

PAGE = """<!doctype html>
<title>{name}</title>
<h1>{name}</h1>
<p>Served from a golden image.</p>
"""

TEST = '''"""What must be true of a machine that was launched from the image (pytest-testinfra)."""


def test_nginx_serves_the_page(host):
    assert host.service("nginx").is_running
    assert host.socket("tcp://0.0.0.0:80").is_listening
    assert "golden image" in host.file("/var/www/html/index.html").content_string


def test_passwords_are_not_accepted_over_ssh(host):
    assert "passwordauthentication no" in host.run("sshd -T").stdout.lower()


def test_the_operator_may_use_sudo(host):
    assert "sudo" in host.user("operator1").groups
'''


def image_name(directory: str) -> str:
    """An image's name from a directory's, ``web`` if nothing of it can be used."""
    text = re.sub(r"[^a-z0-9._-]+", "-", directory.lower()).strip("-._")[:63]
    return text if re.fullmatch(NAME, text) else "web"


def scaffold(name: str) -> Mapping[str, str]:
    """Every file but the schema: path beside the recipe to text."""
    texts = {
        "recipe.yaml": RECIPE,
        "components/motd.yml": COMPONENT,
        "site/index.html": PAGE,
        "tests/test_web.py": TEST,
    }
    return MappingProxyType(
        {path: text.replace("{name}", name).replace("{schema}", SCHEMA_FILE) for path, text in texts.items()}
    )
