"""lee2017 and choi2016 in plain PyTorch, with the layers and initial values of the zoo's networks.

For `benchmarks/gpu.py`, which compares their speed with the zoo's. `tests/test_gpu_benchmark.py`
compares their outputs. Parameters are in the order of the zoo's trainable variables.
"""

import torch
from torch import nn

from zoo.layers.mel import mel_filterbank


class SampleCNN(nn.Sequential):
    """lee2017 with m = 3: (batch, 3 ** (n + 1)) waveforms to (batch, labels) logits."""

    def __init__(self, labels: int, n: int = 9):
        widths = [*[128, 128, *[256] * (n - 3)][: n - 1], 512]
        layers: list[nn.Module] = [nn.Unflatten(1, (1, -1)), *conv_norm(1, 128, 3, stride=3)]
        channels = 128
        for filters in widths:
            layers += [*conv_norm(channels, filters, 3, padding=1), nn.MaxPool1d(3)]
            channels = filters
        layers += conv_norm(channels, channels, 1)
        layers += [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(0.5)]
        super().__init__(*layers, nn.Linear(channels, labels))
        prepare(self, he=True)


def conv_norm(channels: int, filters: int, length: int, **options: int) -> list[nn.Module]:
    """Return a convolution with batch normalisation and ReLU."""
    norm = nn.BatchNorm1d(filters, eps=1e-5, momentum=0.01)
    return [nn.Conv1d(channels, filters, length, **options), norm, nn.ReLU()]


class FCN4(nn.Sequential):
    """choi2016, FCN-4: (batch, samples at 12 kHz) waveforms to (batch, labels) logits."""

    def __init__(self, labels: int, samples: int = 349440, width: float = 1.0):
        plane, channels = (1 + samples // 256, 96), 1
        layers: list[nn.Module] = [LogMel()]
        pools = ((4, 2), (5, 4), (8, 3), (8, 4))
        for i, (filters, pool) in enumerate(zip((128, 384, 768, 2048), pools, strict=True)):
            filters = max(1, round(width * filters))
            window = tuple(min(size, n) for size, n in zip(pool, plane, strict=True))
            plane = tuple(n // size for size, n in zip(window, plane, strict=True))
            layers += [nn.Dropout(0.5)] if i else []
            layers += [
                nn.Conv2d(channels, filters, 3, padding=1),
                nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),
                nn.ReLU(),
                nn.MaxPool2d(window),
            ]
            channels = filters
        super().__init__(*layers, nn.Flatten(), nn.Dropout(0.5))
        self.append(nn.Linear(channels * plane[0] * plane[1], labels))
        prepare(self, he=False)


class LogMel(nn.Module):
    """(batch, samples) to (batch, 1, frames, 96) decibels, in float32."""

    def __init__(self) -> None:
        super().__init__()
        bank = torch.from_numpy(mel_filterbank(12000, 512, 96).astype("float32"))
        self.register_buffer("bank", bank)
        self.register_buffer("window", torch.hann_window(512))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Return the spectrogram."""
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                waveform, 512, 256, window=self.window, pad_mode="reflect", return_complex=True
            )
            power = spectrum.real**2 + spectrum.imag**2  # (batch, 257, frames)
            mel = power.mT @ self.bank
            return 10 * torch.log10(mel.clamp(min=1e-10))[:, None]


def prepare(network: nn.Module, he: bool) -> None:
    """Start weights as Keras does: Glorot's or He's uniform distribution, and zeros."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            if he and not isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
