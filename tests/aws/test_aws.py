"""What the doctor and `plan` learn from AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdsearch.aws.instances import ON_DEMAND
from kdsearch.aws.instances import SPOT
from kdsearch.aws.instances import quota_codes
from kdsearch.cli import main
from kdsearch.config.compose import compose_sweep
from kdsearch.config.schema import ClusterConfig
from kdsearch.doctor import examine
from kdsearch.doctor.aws import look_at_aws
from kdsearch.doctor.finding import Finding
from kdsearch.doctor.finding import Status
from kdsearch.errors import InputError
from kdsearch.estimate.forecast import Price
from kdsearch.estimate.nodes import find_node
from kdsearch.estimate.nodes import find_price
from tests.aws.services import REGION
from tests.aws.services import Answers

SPOT_G, DEMAND_G = SPOT["g"], ON_DEMAND["g"]


def _look(instance_type: str | None = "g5.xlarge", region: str | None = None) -> Finding:
    return look_at_aws(ClusterConfig(place="aws", address="auto", instance_type=instance_type, region=region))


def _answering(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> None:
    for name, value in answers.environment.items():
        monkeypatch.setenv(name, value)


def test_who_we_are_and_what_we_would_get(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with Answers({SPOT_G: 64.0, DEMAND_G: 8.0}, 1.006) as answers:
        _answering(monkeypatch, answers)
        finding = _look()
    assert finding.status is Status.OK, finding.found
    assert "arn:aws:sts::123456789012:" in finding.found and f"in {REGION}" in finding.found
    assert "g5.xlarge: 4 vCPUs, 1 × NVIDIA A10G" in finding.found
    assert "allows 16 of them on spot and 2 on demand" in finding.found
    # The price that moto makes up.
    assert "spot $1e-05 for an hour" in finding.found
    assert "hunter2" not in finding.found


def test_a_quota_that_allows_none(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with Answers({SPOT_G: 0.0, DEMAND_G: 3.0}, 1.0) as answers:
        _answering(monkeypatch, answers)
        refused = _look()
    with Answers({SPOT_G: 0.0, DEMAND_G: 4.0}, 1.0) as answers:
        _answering(monkeypatch, answers)
        warned = _look()
    assert refused.is_bad and "0 vCPUs on spot and 3 on demand allows no g5.xlarge → have it raised" in refused.found
    assert warned.status is Status.WARN and "allows no g5.xlarge spot" in warned.found


def test_what_may_not_be_read_is_a_warning(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with Answers({}, 1.0) as answers:
        _answering(monkeypatch, answers)
        finding = _look()
    assert finding.status is Status.WARN
    assert "quota of vCPUs could not be read (AccessDeniedException: not authorized)" in finding.found


def test_types_and_regions_that_are_wrong(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "g9.huge is not offered in us-east-1" in _look("g9.huge").found
    assert _look("g9.huge").is_bad
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert _look().is_bad and "no region is set → set cluster.region" in _look().found
    assert "in eu-west-1" in _look(None, "eu-west-1").found


def test_no_credentials(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    finding = _look()
    assert finding.is_bad and "Unable to locate credentials" in finding.found and "AWS_PROFILE" in finding.found


def test_the_doctor_asks_aws_where_the_sweep_is_to_run_there(
    aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket="sweeps")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    servers = ["ledger=postgresql://127.0.0.1:9/x", "mlflow.tracking_uri=http://127.0.0.1:9"]
    config = compose_sweep(["cluster=aws", "storage=s3://sweeps/mine", *servers], outside_world=False).config
    findings = {finding.check: finding for finding in examine(config)}
    assert "arn:aws:sts" in findings["aws"].found
    assert not findings["storage"].is_bad and "ray attach cluster/aws.yaml" in findings["ray"].found


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("g5.xlarge", "g"),
        ("vt1.3xlarge", "g"),
        ("m5.large", "standard"),
        ("c7i.large", "standard"),
        ("p4d.24xlarge", "p"),
    ],
)
def test_quotas_go_by_family(name: str, family: str) -> None:
    assert quota_codes(name) == (SPOT[family], ON_DEMAND[family])


def test_the_newest_p_have_a_quota_of_their_own_on_spot() -> None:
    assert quota_codes("p5.48xlarge") == (SPOT["p5"], ON_DEMAND["p"])
    assert quota_codes("inf2.xlarge") == (SPOT["inf"], ON_DEMAND["inf"])


def test_plan_takes_nodes_and_prices_from_aws(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["cluster=aws", "cluster.instance_type=g5.xlarge", "resources.gpus_per_trial=0.25"]
    config = compose_sweep(asked, outside_world=False).config
    with Answers({}, 1.006) as answers:
        _answering(monkeypatch, answers)
        node, (price, why_not) = find_node(config, None, None), find_price(config, None)
    assert (node.name, node.cpus, node.gpus, node.slots(config.resources)) == ("g5.xlarge", 4, 1, 4)
    assert price == Price(1e-05, 1.006, "spot to on-demand in us-east-1") and why_not is None
    assert find_price(config, 2.5) == (Price(2.5, 2.5, "as given"), None)
    nowhere = compose_sweep([*asked, "cluster.instance_type=g9.huge"], outside_world=False).config
    with pytest.raises(InputError, match="no such type in the region"):
        find_node(nowhere, None, None)


def test_plan_without_aws(
    clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "cluster=aws"]) == 0
    assert "price: not known (AWS cannot be asked: You must specify a region.)" in capsys.readouterr().out
