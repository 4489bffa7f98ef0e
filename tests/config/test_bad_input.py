"""Bad input: exit 2, one line per problem with key, value and what is allowed, all at once, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdsearch.cli import main
from kdsearch.config.check_machine import available_cpus
from kdsearch.config.check_machine import visible_gpus
from kdsearch.errors import ExitCode

TWO_GPUS = ("cluster.address=auto", "resources.gpus_per_trial=2")
TEMPERATURE = "search_space.parameters.temperature"
ALPHA = "search_space.parameters.alpha"
S3 = "storage=s3://bucket/prefix"
POSTGRES = "ledger=postgresql://host/db"
MLFLOW = "mlflow.tracking_uri=http://host:5000"
NO_GPU = pytest.mark.skipif(visible_gpus() > 0, reason="asks for a CUDA device where there is none")

TEACHERS = "teacher=[self,small]"
CHOSEN = "search_space.parameters.teacher"
ONLINE = "training.augmentation.mode=online"
TRANSFORMS = "training.augmentation.transforms"

# (overrides, how the line starts, what it says is allowed)
CASES = [
    # keys
    (["trails_per_count=3"], "trails_per_count=3: ", "unknown key; did you mean trials_per_count?"),
    (["student.hiden=[3]"], "student.hiden=[3]: ", "did you mean student.hidden?"),
    (["+zzz=1"], "zzz=1: ", "unknown key; the top level has name, seed,"),
    (["training.zzz=1"], "training.zzz=1: ", "unknown key; training has epochs, steps,"),
    (["hydra.run.dir=x"], "hydra.run.dir=x: ", "unknown key"),
    (["hydra=3"], "hydra=3: ", "unknown key"),
    (["teacher@other=mlp"], "teacher@other=mlp: ", "unknown key"),
    # grammar
    (["seed"], "seed=: ", "KEY=VALUE"),
    (["=3"], "=3: ", "must be KEY=VALUE"),
    (["sample_counts=[50"], "sample_counts=[50: ", "KEY=VALUE"),
    (["seed=1,2"], "seed=1,2: ", "must be one value; write a list as [a,b]"),
    # groups
    (["dataset=digitz"], "dataset=digitz: ", "; did you mean digits?"),
    (["teacher=unet"], "teacher=unet: ", "must be one of cnn, cnn_deep, cnn_wide, custom, large, mlp"),
    (["search_space=nothing"], "search_space=nothing: ", "must be one of default, objectives, temperature, training"),
    (["student={name:mlp}"], "student={name:mlp}: ", "must be one of cnn, custom, mlp"),
    (["dataset=custom"], "dataset._target_=???: ", "must be given"),
    (["student=custom"], "student._target_=???: ", "must be given"),
    # types
    (["seed=abc"], "seed=abc: ", "must be an integer"),
    (["seed=true"], "seed=true: ", "must be an integer"),
    (["seed=-1"], "seed=-1: ", "must be >= 0"),
    (["trials_per_count=2.5"], "trials_per_count=2.5: ", "must be an integer"),
    (["training.learning_rate=fast"], "training.learning_rate=fast: ", "must be a number"),
    (["training.learning_rate=true"], "training.learning_rate=true: ", "must be a number"),
    (["training.learning_rate='0.1'"], "training.learning_rate=0.1: ", "must be a number"),
    (["training.learning_rate=inf"], "training.learning_rate=inf: ", "must be a finite number"),
    (["resources.trials_per_worker=0"], "resources.trials_per_worker=0: ", "must be >= 1 or auto"),
    (
        ["resources.trials_per_worker=4", "student.dropout=0.1"],
        "resources.trials_per_worker=4: ",
        "must be auto or 1 where student.dropout > 0",
    ),
    (
        ["resources.trials_per_worker=4", "student=[mlp,cnn]", "students.cnn.dropout=0.1"],
        "resources.trials_per_worker=4: ",
        "must be auto or 1 where students.cnn.dropout > 0",
    ),
    ([*TWO_GPUS, "resources.trials_per_worker=4"], "resources.trials_per_worker=4: ", "must be auto or 1, because"),
    ([*TWO_GPUS, "resources.gpus_per_trial=1.5"], "resources.gpus_per_trial=1.5: ", "or a whole number"),
    ([*TWO_GPUS, "training.device=cpu"], "training.device=cpu: ", "must be auto or cuda, because"),
    ([*TWO_GPUS, "training.batch_size=1"], "training.batch_size=1: ", "must be >= 2, one sample per GPU"),
    (["training.learning_rate=0"], "training.learning_rate=0: ", "must be > 0"),
    (["student.dropout=1"], "student.dropout=1: ", "must be < 1"),
    (["student.hidden=32"], "student.hidden=32: ", "must be a list"),
    (["student.hidden=[32,0]"], "student.hidden[1]=0: ", "must be >= 1"),
    (["training=5"], "training=5: ", "must be a mapping"),
    (["resources.max_concurrent=many"], "resources.max_concurrent=many: ", "must be an integer or auto"),
    ([f"{TEMPERATURE}.log=1"], f"{TEMPERATURE}.log=1: ", "must be true or false"),
    (["dataset.root=[a]"], "dataset.root=[a]: ", "must be text"),
    # names
    (["sampler=tpo"], "sampler=tpo: ", "must be one of tpe, random, gp, cmaes, qmc; did you mean tpe?"),
    (["pruner=mean"], "pruner=mean: ", "must be one of none, successive_halving, hyperband, median"),
    (["search.metric=accuracy"], "search.metric=accuracy: ", "must be one of val_accuracy,"),
    (["training.optimizer=adam"], "training.optimizer=adam: ", "must be one of sgd, adamw"),
    (["training.device=tpu"], "training.device=tpu: ", "must be auto, cpu, cuda or cuda:INDEX"),
    (["student.name=resnet"], "student.name=resnet: ", "must be one of mlp, cnn, transformer, resnet8"),
    (["teacher.model.name=rnn"], "teacher.model.name=rnn: ", "must be one of mlp, cnn"),
    (["dataset.name=kmnist"], "dataset.name=kmnist: ", "must be one of digits, fashion_mnist, mnist"),
    (["name=../x"], "name=../x: ", "must be a path part"),
    (["name=''"], "name=: ", "must be a path part"),
    (["name=a/b"], "name=a/b: ", "must be a path part"),
    # sample counts
    (["sample_counts=[]"], "sample_counts=[]: ", "at least one"),
    (["sample_counts=[50,50]"], "sample_counts=[50,50]: ", "must not name a sample count twice"),
    (["sample_counts=[50,-5]"], "sample_counts[1]=-5: ", "must be >= 1"),
    (["sample_counts=[50,1000000]"], "sample_counts=1000000: ", "the train pool of digits holds"),
    (["sample_counts=[9,50]"], "sample_counts=9: ", "must be >= 10, one sample of each class"),
    (["teacher.sample_count=1000000"], "teacher.sample_count=1000000: ", "the train pool of digits holds"),
    (["dataset.validation_count=1000000"], "dataset.validation_count=1000000: ", "must be "),
    # the search space
    ([f"{TEMPERATURE}.low=50"], f"{TEMPERATURE}.low=50.0: ", "must be < high, which is 40"),
    ([f"{TEMPERATURE}.low=40"], f"{TEMPERATURE}.low=40.0: ", "must be < high, which is 40"),
    ([f"{TEMPERATURE}.low=0"], f"{TEMPERATURE}.low=0.0: ", "must be > 0"),
    ([f"{TEMPERATURE}.log=false", f"{TEMPERATURE}.low=-1"], f"{TEMPERATURE}.low=-1.0: ", "must be > 0"),
    ([f"{ALPHA}.low=0", f"{ALPHA}.log=true"], f"{ALPHA}.low=0.0: ", "must be > 0, because log=true"),
    ([f"{ALPHA}.high=1.5"], f"{ALPHA}.high=1.5: ", "must be >= 0 and <= 1"),
    ([f"{ALPHA}.low=-0.5"], f"{ALPHA}.low=-0.5: ", "must be >= 0 and <= 1"),
    ([f"{ALPHA}.step=2"], f"{ALPHA}.step=2.0: ", "must be <= high - low"),
    ([f"{TEMPERATURE}.step=2"], f"{TEMPERATURE}.step=2.0: ", "must be null, because log=true"),
    ([f"{TEMPERATURE}.choices=[1,4]"], f"{TEMPERATURE}.choices=[1,4]: ", "beside low/high"),
    ([f"~{TEMPERATURE}", f"+{TEMPERATURE}.choices=[0,4]"], f"{TEMPERATURE}.choices=0: ", "must be > 0"),
    ([f"~{TEMPERATURE}", f"+{TEMPERATURE}.choices=[hot]"], f"{TEMPERATURE}.choices=hot: ", "must be a number > 0"),
    ([f"~{TEMPERATURE}", f"+{TEMPERATURE}.choices=[]"], f"{TEMPERATURE}.choices=[]: ", "at least one choice"),
    ([f"~{TEMPERATURE}", f"+{TEMPERATURE}.choices=[4,4]"], f"{TEMPERATURE}.choices=[4,4]: ", "twice"),
    (
        ["search_space.parameters.temprature.low=2"],
        "search_space.parameters.temprature={low:2.0}: ",
        "unknown parameter; did you mean temperature?",
    ),
    (
        ["search_space.parameters.objective.choices=[kl,kll]"],
        "search_space.parameters.objective.choices=kll: ",
        "must be one of kl, mse",
    ),
    (
        ["search_space.parameters.objective.choices=[mse]"],
        f"{TEMPERATURE}={{low:1.0,high:40.0,log:true}}: ",
        "applies to none of the searched objectives (mse)",
    ),
    (["search_space.parameters.objective.low=1"], "search_space.parameters.objective=", "takes `choices` alone"),
    # controls
    (["controls=[lables]"], "controls[0]=lables: ", "must be one of labels, label_smoothing, kl_t1"),
    (["controls=[labels,labels]"], "controls[1]=labels: ", "twice"),
    (["controls=[{label_smoothing:[0.1,1.0]}]"], "controls[0].label_smoothing=1.0: ", "must be >= 0 and < 1"),
    (["controls=[{label_smoothing:[much]}]"], "controls[0].label_smoothing[0]=much: ", "must be a number"),
    (["controls=[{kl_t1:[1.0]}]"], "controls[0]={kl_t1:[1.0]}: ", "takes no values"),
    # budgets
    (["training.epochs=5", "training.steps=9"], "training.epochs=5: ", "steps=9 is set too"),
    (["teacher.training.epochs=7", "teacher.training.steps=9"], "teacher.training.epochs=7: ", "steps=9 is set too"),
    (["student.hidden=null"], "student.hidden=null: ", "needs a list of widths"),
    # places
    (["dataset=fashion_mnist", "dataset.root=nowhere"], "dataset.root=", "nowhere"),
    (["storage=occupied"], "storage=", "is not a folder"),
    (["storage=occupied/deeper"], "storage=", "is not a folder"),
    (["storage=ftp://host/x"], "storage=ftp://host/x: ", "must be a folder or s3://bucket/prefix"),
    (["storage=s3://", POSTGRES, MLFLOW], "storage=s3://: ", "must name a bucket"),
    (["storage=5"], "storage=5: ", "must be text"),
    (["mlflow=5"], "mlflow=5: ", "must be a mapping"),
    (["storage=''"], "storage=: ", "must be a folder"),
    ([S3, MLFLOW], "ledger=null: ", "with an S3 storage it must name a server"),
    ([S3, POSTGRES], "mlflow.tracking_uri=null: ", "with an S3 storage it must name a server"),
    ([S3, MLFLOW, "ledger=sqlite:///x.db"], "ledger=sqlite:///", "must name a server"),
    (["ledger=oracle://host/db"], "ledger=oracle://host/db: ", "must start with one of sqlite:///, postgresql://"),
    (["ledger=sqlite:///occupied/x.db"], "ledger=sqlite:///", "is not a folder"),
    (["mlflow.tracking_uri=./mlruns"], "mlflow.tracking_uri=./mlruns: ", "must start with one of"),
    (["ledger=${oc.env:KDSEARCH_NOT_SET}"], "ledger=${oc.env:KDSEARCH_NOT_SET}: ", "KDSEARCH_NOT_SET"),
    (["student._target_=no.such.thing"], "student._target_=no.such.thing: ", "cannot be imported"),
    (["dataset._target_=json.nothing"], "dataset._target_=json.nothing: ", "cannot be imported"),
    # teachers to choose from
    (["teacher=[self,smal]"], "teacher=smal: ", "; did you mean small?"),
    (["teacher=[self,self]"], "teacher=[self,self]: ", "must not name a teacher twice"),
    (["teacher=[]"], "teacher=[]: ", "must be one of cnn,"),
    (["teacher=[self,5]"], "teacher=5: ", "must be one of cnn,"),
    (["teacher=[self,custom]"], "teachers.custom.model._target_=???: ", "must be given"),
    ([TEACHERS, "teachers=3"], "teachers=3: ", "must be a mapping"),
    ([TEACHERS, "teachers.small.modle=3"], "teachers.small.modle=3: ", "did you mean teachers.small.model?"),
    ([TEACHERS, "teachers.large.seeds=2"], "teachers.large.seeds=2: ", "unknown key"),
    (["teachers.small=3"], "teachers.small=3: ", "unknown key; teachers is empty"),
    ([TEACHERS, "teachers.small.model.hidden=[0]"], "teachers.small.model.hidden[0]=0: ", "must be >= 1"),
    ([TEACHERS, "teachers.small.model.name=rnn"], "teachers.small.model.name=rnn: ", "must be one of mlp"),
    ([TEACHERS, "teacher.seeds=0"], "teacher.seeds=0: ", "must be >= 1"),
    ([TEACHERS, "teacher.training.steps=5"], "teachers.small.training.epochs=100: ", "steps=5 is set too"),
    (["teacher=self", "teacher.model.hidden=[9]"], "teacher.model.hidden=[9]: ", "set student.hidden"),
    ([TEACHERS, "teacher.model.hidden=[9]"], "teacher.model.hidden=[9]: ", "or teachers.NAME.model.hidden"),
    ([TEACHERS, "teachers.self.model.hidden=[9]"], "teachers.self.model.hidden=[9]: ", "set student.hidden"),
    ([TEACHERS, f"{CHOSEN}.choices=[self,large]"], f"{CHOSEN}.choices=large: ", "must be one of self, small"),
    ([TEACHERS, f"{CHOSEN}.choices=[]"], f"{CHOSEN}.choices=[]: ", "at least one choice"),
    ([TEACHERS, f"{CHOSEN}.low=1"], f"{CHOSEN}={{low:1.0}}: ", "takes `choices` alone"),
    ([f"{CHOSEN}.choices=[mlp]"], f"{CHOSEN}.choices=[mlp]: ", "there are no teachers to choose from"),
    ([f"{CHOSEN}={{}}"], f"{CHOSEN}.choices=[]: ", "there are no teachers to choose from"),
    # several networks as one teacher
    (["teacher.weighting=unikd"], "teacher.weighting=unikd: ", "must be equal where there is one network"),
    (["teacher.members=3"], "teacher.members=3: ", "must be a mapping"),
    (["teacher.members.x=3"], "teacher.members.x=3: ", "must be a mapping"),
    (
        ["teacher.members.x={name:x,model:{name:mlp,hidden:[0]},training:{}}"],
        "teacher.members.x.model.hidden[0]=0: ",
        "must be >= 1",
    ),
    (["teacher.weights=pretrained"], "teacher.weights=pretrained: ", "needs a network of torchvision or timm"),
    # samples and views
    (["dataset.subset=medium"], "dataset.subset=medium: ", "must be one of stratified, uniform, balanced, easy, hard"),
    (
        ["search_space.parameters.subset.choices=[easy,medium]"],
        "search_space.parameters.subset.choices=medium: ",
        "easy",
    ),
    (["dataset.unlabelled_count=1000000"], "dataset.unlabelled_count=1000000: ", "beside 800 labelled samples"),
    (["dataset.unlabelled_count=-1"], "dataset.unlabelled_count=-1: ", "must be >= 0"),
    ([ONLINE, f"{TRANSFORMS}=[RandomFlip]"], f"{TRANSFORMS}[0]=RandomFlip: ", "a transform of torchvision"),
    ([ONLINE, f"{TRANSFORMS}=[{{RandomCrop:{{size:4}}}}]"], f"{TRANSFORMS}[0]=RandomCrop: ", "must keep [1, 8, 8]"),
    ([ONLINE, f"{TRANSFORMS}=[{{RandomCrop:5}}]"], f"{TRANSFORMS}[0].RandomCrop=5: ", "must be a mapping"),
    ([ONLINE, f"{TRANSFORMS}=[{{A:{{}},B:{{}}}}]"], f"{TRANSFORMS}=[{{A:{{}},B:{{}}}}]: ", "must each be a name"),
    (["training.augmentation.mode=bank"], f"{TRANSFORMS}=[]: ", "needs at least one transform"),
    (["training.augmentation.mode=bank", f"{TRANSFORMS}=[5]"], f"{TRANSFORMS}[0]=5: ", "must be text or a mapping"),
    ([f"{TRANSFORMS}=[RandomHorizontalFlip]"], "training.augmentation.mode=none: ", "must be bank or online"),
    # numbers
    (["training.precision=fp16"], "training.precision=fp16: ", "must be fp32 or bf16 where trials have no GPU"),
    (["training.precision=fp16", "training.device=cpu"], "training.precision=fp16: ", "must be fp32 or bf16"),
    (["training.micro_batch_size=0"], "training.micro_batch_size=0: ", "must be >= 1"),
    (["student=cnn", "student.channels=[0]"], "student.channels[0]=0: ", "must be >= 1"),
    # the machine
    (["resources.cpus_per_trial=100000"], "resources.cpus_per_trial=100000.0: ", f"must be <= {available_cpus()}"),
    pytest.param(["training.device=cuda"], "training.device=cuda: ", "no CUDA device", marks=NO_GPU),
    pytest.param(
        ["teacher.training.device=cuda:1"], "teacher.training.device=cuda:1: ", "no CUDA device", marks=NO_GPU
    ),
    pytest.param(["resources.gpus_per_trial=0.5"], "resources.gpus_per_trial=0.5: ", "no CUDA device", marks=NO_GPU),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty but for a file that is in the way."""
    (tmp_path / "occupied").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _refused(overrides: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The problems that `kdsearch sweep` names."""
    assert main(["sweep", *overrides]) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert all(line.startswith("kdsearch: error: ") for line in lines), captured.err
    return [line.removeprefix("kdsearch: error: ") for line in lines]


@pytest.mark.parametrize(("overrides", "start", "allowed"), CASES)
def test_each_problem_is_named(
    overrides: list[str], start: str, allowed: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _refused(overrides, capsys)
    assert len(lines) == 1, lines
    assert lines[0].startswith(start)
    assert allowed in lines[0]
    assert [path.name for path in folder.iterdir()] == ["occupied"]


def test_all_problems_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = [
        "sede=1",
        "b=[",
        "dataset=digitz",
        "seed=x",
        "sampler=tpo",
        "sample_counts=[9,1000000]",
        "training.epochs=1",
        "training.steps=1",
        f"{ALPHA}.high=2",
        "controls=[lables]",
        "storage=occupied",
        "name=a/b",
        "mlflow.tracking_uri=${oc.env:KDSEARCH_NOT_SET}",
    ]
    keys = [line.partition("=")[0] for line in _refused(overrides, capsys)]
    assert sorted(keys) == sorted(
        [
            "sede",
            "b",
            "dataset",
            "seed",
            "sampler",
            "sample_counts",
            "sample_counts",
            "training.epochs",
            f"{ALPHA}.high",
            "controls[0]",
            "storage",
            "name",
            "mlflow.tracking_uri",
        ]
    )
    assert [path.name for path in folder.iterdir()] == ["occupied"]


def test_contradicting_keys_do_not_hide_what_else_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _refused(["teacher.training.epochs=7", "teacher.training.steps=9", "sample_counts=[9]"], capsys)
    assert [line.partition(": ")[0] for line in lines] == ["teacher.training.epochs=7", "sample_counts=9"]


def test_password_is_masked_in_messages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [line] = _refused(["ledger=oracle://me:hunter2@host/db"], capsys)
    assert "hunter2" not in line
    assert line.startswith("ledger=oracle://me:***@host/db: ")
