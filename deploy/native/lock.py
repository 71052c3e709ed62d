"""Write ``jgo.lock.toml`` from ``jgo.toml``: ``python -m deploy.native.lock``.

For developers, after a new Kafka version is named in ``jgo.toml``.
"""

import tempfile
from pathlib import Path

from jgo.env import EnvironmentSpec, LockFile, compute_spec_hash

from deploy.native.java import MINIMUM
from deploy.native.kafka_jars import LOCK, maven_context

SPEC = Path(__file__).with_name("jgo.toml")


def write_lock(spec_file: Path = SPEC, lock_file: Path = LOCK) -> LockFile:
    """Resolve the coordinates with everything they need and record versions and SHA-256 sums."""
    spec = EnvironmentSpec.load(spec_file)
    with tempfile.TemporaryDirectory() as scratch:
        maven = maven_context(Path(scratch))
        excluded = [maven.project(*name.split(":")) for name in spec.exclusions]
        wanted = [maven.create_dependency(text, excluded) for text in spec.coordinates]
        inputs, needed = maven.resolver.resolve(wanted)
        lock = LockFile.from_resolved_dependencies(
            [*inputs, *needed],
            environment_name=spec.name,
            min_java_version=MINIMUM,
            entrypoints=spec.entrypoints,
            spec_hash=compute_spec_hash(spec_file),
        )
    lock.save(lock_file)
    return lock


if __name__ == "__main__":
    print(f"{len(write_lock().dependencies)} artifacts locked")
