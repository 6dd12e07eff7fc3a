import logging
import pytest
from trainroute.config import Config
from trainroute.train import train_plan

def test_smoke(make_panel, make_plan, make_job, tmp_path, caplog):
    caplog.set_level(logging.INFO, "trainroute")
    fam=("LightGBM","XGBoost","Ensemble")
    plan=make_plan(make_job(families=fam), make_job("y_regression","S1",families=fam), make_job("y_multiclass","S1",families=fam,feature_set_id="two"))
    out=train_plan(plan, make_panel(), Config(), output_dir=tmp_path)
    print(caplog.text)
    print((tmp_path/"globals/training_report.md").read_text())
    import subprocess; print(subprocess.run(["find",str(tmp_path)],capture_output=True,text=True).stdout)
    print((tmp_path/"models/cs_y_binary/LightGBM/manifest.json").read_text())
    assert out.exit_code==0
