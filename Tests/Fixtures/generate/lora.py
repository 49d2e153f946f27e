"""lora.safetensors: adapters of one linear layer by peft, forward, backward and merged, in float64.

`weight` [20, 12], `bias` [20], `input` [5, 12], `output_gradient` [5, 20]. Each case has the factors
`CASE.lora_A` [r, 12] and `CASE.lora_B` [20, r] (and `CASE.magnitude` [20]), `CASE.output` [5, 20], the gradients of the
factors and of the input, and `CASE.merged` [20, 12].
  lora     r 3, α 6
  rslora   r 4, α 6, scaled by α/√r
  dora     r 3, α 6
lora_llama/: the tiny model hf_models/llama-untied with adapters that peft saved. LORA: folders `lora` (all linear layers,
r 4, α 8), `dora` (q_proj and v_proj, r 3, α 4), `rslora` (down_proj, r 5, α 10), each with `logits.safetensors`
(`input_ids` [2, 12], `logits` [2, 12, V]).
"""

import shutil

import torch
from fixture import FOLDER, Fixture
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForCausalLM

fixture = Fixture("lora.safetensors", seed=16)
normal = fixture.normal
weight, bias, x, upstream = normal(20, 12, scale=0.4), normal(20), normal(5, 12), normal(5, 20)
for name, tensor in dict(weight=weight, bias=bias, input=x, output_gradient=upstream).items():
    fixture.tensors[name] = tensor.float()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(12, 20).double()
        self.layer.weight.data, self.layer.bias.data = weight.clone(), bias.clone()

    def forward(self, x):
        return self.layer(x)


def record(case, **settings):
    model = get_peft_model(Model(), LoraConfig(target_modules=["layer"], **settings), autocast_adapter_dtype=False)
    model = model.double()
    layer = model.base_model.model.layer
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    tensors = {}
    with torch.no_grad():
        a.copy_(normal(*a.shape, scale=0.3))
        b.copy_(normal(*b.shape, scale=0.3))
    leaf = x.clone().requires_grad_()
    parameters = dict(lora_A=a, lora_B=b)
    if case == "dora":
        magnitude = layer.lora_magnitude_vector["default"].weight
        tensors["initial_magnitude"] = magnitude.detach().clone()
        with torch.no_grad():
            magnitude.copy_((magnitude * (1 + 0.2 * torch.tanh(normal(20)))).float().double())
        parameters["magnitude"] = magnitude
    output = model(leaf)
    output.backward(upstream)
    gradients = {f"{name}_gradient": p.grad for name, p in parameters.items()}
    fixture.add(case, **tensors, **parameters, **gradients, output=output, input_gradient=leaf.grad)
    merged = model.merge_and_unload().layer
    fixture.add(case, merged=merged.weight)


record("lora", r=3, lora_alpha=6)
record("rslora", r=4, lora_alpha=6, use_rslora=True)
record("dora", r=3, lora_alpha=6, use_dora=True)
fixture.save()

for name, settings in dict(
    lora=dict(target_modules="all-linear", r=4, lora_alpha=8),
    dora=dict(target_modules=["q_proj", "v_proj"], r=3, lora_alpha=4, use_dora=True),
    rslora=dict(target_modules=["down_proj"], r=5, lora_alpha=10, use_rslora=True),
).items():
    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_pretrained(FOLDER / "hf_models" / "llama-untied", dtype=torch.float32)
    base.config._name_or_path = base.name_or_path = "llama-untied"
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    with torch.no_grad():
        for parameter_name, p in model.named_parameters():
            if "lora_" in parameter_name and "magnitude" not in parameter_name:
                p.copy_(torch.randn_like(p) * 0.2)
            elif "magnitude" in parameter_name:
                p.mul_(1 + 0.1 * torch.randn_like(p))
        ids = torch.randint(0, base.config.vocab_size, (2, 12))
        logits = model(ids).logits
    folder = FOLDER / "lora_llama" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    save_file({"input_ids": ids.int(), "logits": logits.contiguous()}, folder / "logits.safetensors")
    print(f"lora_llama/{name}: {sum(f.stat().st_size for f in folder.iterdir()):,} bytes")
