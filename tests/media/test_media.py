import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from PIL import Image, ImageDraw

from modalloy.errors import TableError
from modalloy.media import decode, media
from modalloy.media.matlab import list_arrays, load_array
from modalloy.media.media import locate, open_image, spread
from modalloy.media.samples import read_series_file
from modalloy.media.sound import read_audio


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


# --- paths ---------------------------------------------------------------------------------------


def test_a_relative_path_is_found_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "a.png").write_bytes(b"x")
    assert locate("img/a.png", tmp_path, False).path == (tmp_path / "img" / "a.png").resolve()
    assert locate("img/../img/a.png", tmp_path, False).path.name == "a.png"


@pytest.mark.parametrize("way", ["dots", "absolute", "link"])
def test_paths_that_leave_the_folder_are_refused_unless_allowed(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    outside = tmp_path / "x.png"
    outside.write_bytes(b"x")
    (folder / "link.png").symlink_to(outside)
    cell = {"dots": "../x.png", "absolute": str(outside), "link": "link.png"}[way]
    with pytest.raises(TableError, match="allow_outside"):
        locate(cell, folder, False)
    assert locate(cell, folder, True).path == outside.resolve()


def test_an_absolute_path_inside_the_folder_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(TableError, match="absolute"):
        locate(str(tmp_path / "a.png"), tmp_path, False)


@pytest.mark.parametrize("cell", ["none.png", ".", "", "a\0b", "x" * 5000, 3, None, ["a.png"]])
def test_what_is_no_file_gets_a_sentence(tmp_path: Path, cell: object) -> None:
    with pytest.raises(TableError) as found:
        locate(cell, tmp_path, False)
    assert len(str(found.value)) < 6000


def test_empty_and_huge_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zero.png").touch()
    with pytest.raises(TableError, match="is empty"):
        locate("zero.png", tmp_path, False)
    (tmp_path / "big.png").write_bytes(b"x" * 100)
    monkeypatch.setattr(media, "MAX_BYTES", 99)
    with pytest.raises(TableError, match="MB, more than"):
        locate("big.png", tmp_path, False)


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff"])
def test_lossless_formats_keep_every_pixel(tmp_path: Path, ending: str) -> None:
    pixels = noise(9, 7)
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
    picture = open_image(tmp_path / f"a.{ending}")
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), pixels)
    assert picture.info["original_size"] == (7, 9)


def test_the_format_is_known_by_content_not_by_ending(tmp_path: Path) -> None:
    Image.fromarray(noise(4, 4)).save(tmp_path / "a.jpg", format="PNG")
    assert open_image(tmp_path / "a.jpg").size == (4, 4)
    Image.fromarray(noise(4, 4)).save(tmp_path / "a.png", format="ICO")
    with pytest.raises(TableError, match=r"a\.png is no picture of the kinds PNG, JPEG"):
        open_image(tmp_path / "a.png")


def test_exif_orientation_turns_the_picture_and_its_size(tmp_path: Path) -> None:
    pixels = noise(30, 20)
    exif = Image.Exif()
    exif[0x112] = 6  # turn by 270 degrees
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    picture = open_image(tmp_path / "a.png")
    assert np.array_equal(np.asarray(picture), np.rot90(pixels, -1))
    assert picture.info["original_size"] == (30, 20)
    large = Image.fromarray(noise(320, 480))
    large.save(tmp_path / "b.jpg", exif=exif)
    drafted = open_image(tmp_path / "b.jpg", draft=40)
    assert drafted.size == (40, 60)
    assert drafted.info["original_size"] == (320, 480)


def test_draft_is_never_smaller_than_asked_and_looks_alike(tmp_path: Path) -> None:
    smooth = Image.fromarray(noise(6, 8)).resize((800, 600), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "a.jpg", quality=95)
    whole, draft = open_image(tmp_path / "a.jpg"), open_image(tmp_path / "a.jpg", draft=150)
    assert draft.size == (200, 150)
    small = np.asarray(whole.resize(draft.size, Image.Resampling.BOX), dtype=float)
    assert np.abs(small - np.asarray(draft)).mean() < 3


def test_deep_grey_keeps_its_steps(tmp_path: Path) -> None:
    twelve_bits = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(twelve_bits).save(tmp_path / "a.png")
    picture = open_image(tmp_path / "a.png")
    assert picture.mode == "L"
    assert picture.info["peak"] == 4095
    assert np.asarray(picture).min() == 0
    assert np.asarray(picture).max() == 255
    assert len(np.unique(np.asarray(picture))) == 256
    assert np.asarray(open_image(tmp_path / "a.png", white=65535.0)).max() == 16


def test_float_pictures_with_gaps_are_shown_from_black_to_white(tmp_path: Path) -> None:
    x = np.array([[0.0, 0.5], [1.0, np.nan]], dtype=np.float32)
    Image.fromarray(x).save(tmp_path / "a.tiff")
    assert np.asarray(open_image(tmp_path / "a.tiff")).tolist() == [[0, 128], [255, 0]]


def test_transparent_parts_lie_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    pixels = np.asarray(open_image(tmp_path / "a.png"))
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[1, 1].tolist() == [255, 255, 255]
    palette = Image.fromarray(rgba[..., :3]).quantize(4)
    palette.save(tmp_path / "p.png", transparency=bytes([0, 255, 255, 255]))
    assert open_image(tmp_path / "p.png").mode == "RGB"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_becomes_grey_or_rgb(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        Image.fromarray(noise(8, 8, 1)[..., 0].astype(np.uint16)).save(tmp_path / "a.tiff")
    else:
        Image.fromarray(noise(8, 8)).convert(mode).save(tmp_path / "a.tiff")
    picture = open_image(tmp_path / "a.tiff")
    assert picture.mode == ("L" if mode in ("1", "L", "LA", "I;16", "F") else "RGB")
    assert abs(np.asarray(picture).mean() - 127) < 15


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    Image.new("1", (8000, 5001)).save(tmp_path / "a.png")  # 6 kB on disk
    with pytest.raises(TableError, match="8000 x 5001 pixels, more than 40 megapixels"):
        open_image(tmp_path / "a.png")
    Image.new("1", (20000, 10000)).save(tmp_path / "b.png")
    with pytest.raises(TableError, match="more than 40 megapixels"):
        open_image(tmp_path / "b.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tiff", "webp"])
def test_truncated_and_garbled_pictures_get_a_sentence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(noise(64, 64)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TableError, match=rf"a\.{ending}"):
        open_image(path)
    path.write_bytes(b"\x89PNG garbage")
    with pytest.raises(TableError, match=rf"a\.{ending}"):
        open_image(path)


def test_no_warning_leaks_and_the_filters_come_back(tmp_path: Path) -> None:
    Image.new("1", (10000, 9000)).save(tmp_path / "warns.png")  # Pillow warns above 89 megapixels
    Image.fromarray(noise(8, 8)).save(tmp_path / "fine.png")
    before = list(warnings.filters)

    def read(name: str) -> bool:
        try:
            return open_image(tmp_path / name) is not None
        except TableError:
            return False

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, ["warns.png", "fine.png"] * 40))
    assert found == [False, True] * 40
    assert list(warnings.filters) == before


def test_a_filter_set_by_another_thread_meanwhile_does_not_stay(tmp_path: Path) -> None:
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decode.quiet.__enter__()  # a worker begins to decode ...
    decode.quiet.__exit__()  # ... and ends after the other thread's scope is closed
    assert list(warnings.filters) == before


# --- sounds --------------------------------------------------------------------------------------


def tone(samples: int, rate_hz: int, pitch_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(samples) / rate_hz)).astype(np.float32)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_sounds_are_averaged_over_channels(tmp_path: Path, ending: str) -> None:
    left, right = tone(4000, 8000), np.zeros(4000, dtype=np.float32)
    soundfile.write(tmp_path / f"a.{ending}", np.stack([left, right], axis=1), 8000)
    sound = read_audio(tmp_path / f"a.{ending}")
    assert sound.rate_hz == 8000
    assert sound.note == ""
    assert sound.wave.dtype == np.float32
    assert np.abs(sound.wave - left / 2).max() < (0.08 if ending == "ogg" else 1e-4)


def test_only_the_first_seconds_are_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(8000, 8000), 8000, subtype="FLOAT")
    sound = read_audio(tmp_path / "a.wav", 0.25)
    assert np.array_equal(sound.wave, tone(8000, 8000)[:2000])


def test_long_empty_and_cut_recordings_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(610 * 100, dtype=np.float32), 100)
    with pytest.raises(TableError, match=r"lasts 10\.2 minutes, more than 10"):
        read_audio(tmp_path / "long.flac", 1.0)
    soundfile.write(tmp_path / "none.wav", np.zeros(0, dtype=np.float32), 8000)
    with pytest.raises(TableError, match="holds no samples"):
        read_audio(tmp_path / "none.wav")
    soundfile.write(tmp_path / "cut.wav", tone(8000, 8000), 8000)
    whole = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:5000])
    with pytest.raises(TableError, match="truncated"):
        read_audio(tmp_path / "cut.wav")
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(TableError, match=r"text\.wav cannot be read as a recording"):
        read_audio(tmp_path / "text.wav")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9, 0.97, 0.999])
def test_an_ogg_file_that_was_cut_is_refused(tmp_path: Path, share: float) -> None:
    noise_L = np.random.default_rng(0).normal(0, 0.2, 5 * 16_000).clip(-1, 1)
    soundfile.write(tmp_path / "a.ogg", noise_L, 16_000)
    assert len(read_audio(tmp_path / "a.ogg").wave) == 80_000
    whole = (tmp_path / "a.ogg").read_bytes()
    (tmp_path / "a.ogg").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(TableError, match=r"a\.ogg is truncated"):
        read_audio(tmp_path / "a.ogg", 0.25)


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    wave = tone(100, 8000)
    wave[50] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype="FLOAT")
    with pytest.raises(TableError, match="not numbers"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_channels_that_cancel_each_other_leave_the_loudest(tmp_path: Path, channels: int) -> None:
    draw = np.random.default_rng(0)
    x = tone(4000, 8000)
    wave_LC = np.stack([x / (channels - 1)] * (channels - 1) + [-1.1 * x], axis=1)
    wave_LC += draw.normal(0, 0.05, wave_LC.shape)
    soundfile.write(tmp_path / "a.wav", wave_LC, 8000, subtype="FLOAT")
    loudest = channels - 1
    sound = read_audio(tmp_path / "a.wav")
    assert f"only channel {loudest} is heard" in sound.note
    assert np.allclose(sound.wave, wave_LC[:, loudest], atol=1e-6)
    assert np.abs(read_audio(tmp_path / "a.wav", averaged=True).wave).max() < 0.3


def test_channels_that_are_unrelated_or_alike_are_averaged(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(0, 0.1, (4000, 2))
    alike = np.stack([x[:, 0], 0.5 * x[:, 0]], axis=1)
    still = np.full((4000, 2), 0.25)
    for wave_LC in (x, alike, still, np.zeros((4000, 2)), draw.normal(0, 0.1, (4000, 6))):
        soundfile.write(tmp_path / "a.wav", wave_LC, 8000, subtype="FLOAT")
        sound = read_audio(tmp_path / "a.wav")
        assert sound.note == ""
        assert np.allclose(sound.wave, wave_LC.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("form", "subtype", "floating"),
    [
        ("WAV", "PCM_U8", False),
        ("WAV", "PCM_16", False),
        ("WAV", "PCM_24", False),
        ("WAVEX", "PCM_32", False),
        ("WAVEX", "PCM_24", False),
        ("WAV", "FLOAT", True),
        ("WAV", "DOUBLE", True),
        ("FLAC", "PCM_24", False),
    ],
)
def test_samples_of_every_kind_are_as_loud(
    tmp_path: Path, form: str, subtype: str, floating: bool
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(4000, 8000), 8000, format=form, subtype=subtype)
    sound = read_audio(tmp_path / "a.wav")
    assert sound.floating == floating
    assert np.abs(sound.wave - tone(4000, 8000)).max() < (0.01 if subtype == "PCM_U8" else 1e-4)


# --- series --------------------------------------------------------------------------------------


def test_series_files_of_every_kind_give_the_same_samples(tmp_path: Path) -> None:
    x_CL = np.random.default_rng(0).normal(0, 0.1, (2, 40))
    np.save(tmp_path / "a.npy", x_CL)
    np.save(tmp_path / "b.npy", x_CL.T)
    np.savez(tmp_path / "a.npz", x=x_CL, y=x_CL[0])
    scipy.io.savemat(tmp_path / "a.mat", {"x": x_CL.T, "y": x_CL[0], "note": "text"})
    lines = "\n".join(f"{a!r},{b!r}" for a, b in x_CL.T.tolist())
    (tmp_path / "a.csv").write_text(f"left,right\n{lines}\n")
    (tmp_path / "b.csv").write_text(lines)
    soundfile.write(tmp_path / "a.wav", x_CL.T, 100, subtype="DOUBLE")
    for name, channel in [
        ("a.npy", None),
        ("b.npy", None),
        ("a.npz", "x"),
        ("a.mat", "x"),
        ("a.csv", None),
        ("b.csv", None),
        ("a.wav", None),
    ]:
        found = read_series_file(tmp_path / name, channel, 1000).x_CL
        assert found.shape == (2, 40), name
        assert np.allclose(found, x_CL, atol=1e-7), name
    for name, channel, row in [
        ("a.npy", "1", 1),
        ("a.npz", "y", 0),
        ("a.mat", "y", 0),
        ("a.csv", "right", 1),
        ("b.csv", "1", 1),
        ("a.wav", "0", 0),
    ]:
        found = read_series_file(tmp_path / name, channel, 10).x_CL
        assert np.allclose(found, x_CL[[row], -10:], atol=1e-7), name


def test_csv_gaps_are_nan_and_semicolons_are_understood(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t;v;who\n0;1.5;x\n1;;y\n2;3;z\n")
    assert np.array_equal(
        read_series_file(tmp_path / "a.csv", "v", 9).x_CL, [[1.5, np.nan, 3.0]], equal_nan=True
    )
    with pytest.raises(TableError, match="column who holds more than numbers"):
        read_series_file(tmp_path / "a.csv", None, 9)


@pytest.mark.parametrize(
    ("name", "channel", "words"),
    [
        ("a.npz", None, "2 arrays; write a.npz#name with one of: x, y"),
        ("a.npz", "z", "no array z"),
        ("a.mat", "z", "no array z; write a.mat#name with one of: x"),
        ("a.csv", "z", "no column z; it has t, v"),
        ("a.npy", "7", "no channel 7; it has 1, counted from 0"),
        ("deep.npy", None, "one or two dimensions"),
        ("object.npy", None, "cannot be read as a series"),
        ("a.txt", None, "not in .npy .npz .mat .csv .wav"),
        ("new.mat", None, "MATLAB 7.3"),
        ("a.wav", None, "has 100 samples a second, not rate_hz: 200"),
    ],
)
def test_series_files_that_do_not_fit_get_a_sentence(
    tmp_path: Path, name: str, channel: str | None, words: str
) -> None:
    x = np.arange(9.0)
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "deep.npy", np.zeros((2, 2, 2)))
    np.save(tmp_path / "object.npy", np.array([{}, {}]), allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=x, y=x)
    scipy.io.savemat(tmp_path / "a.mat", {"x": x, "note": "text", "c": np.array([1j])})
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(600))
    (tmp_path / "a.csv").write_text("t,v\n0,1\n")
    (tmp_path / "a.txt").write_text("0")
    soundfile.write(tmp_path / "a.wav", x / 10, 100)
    with pytest.raises(TableError) as found:
        read_series_file(tmp_path / name, channel, 9, rate_hz=200.0)
    assert words in str(found.value)


def test_arrays_larger_than_allowed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalloy.media import samples

    x = np.zeros(10_000)
    np.savez_compressed(tmp_path / "a.npz", x=x)
    scipy.io.savemat(tmp_path / "a.mat", {"x": x}, do_compression=True)
    np.save(tmp_path / "a.npy", x)
    monkeypatch.setattr(samples, "MAX_BYTES", 50_000)
    for name in ("a.npz", "a.mat", "a.npy"):
        with pytest.raises(TableError, match=r"more than|at most"):
            read_series_file(tmp_path / name, None, 10)


@pytest.mark.parametrize("version", ["4", "5", "5 compressed"])
def test_matlab_files_read_as_scipy_reads_them(tmp_path: Path, version: str) -> None:
    draw = np.random.default_rng(1)
    kinds = ["f8", "f4", "i4", "i2", "u2", "u1"]
    if version != "4":
        kinds += ["i1", "u4", "i8", "u8", "?"]
    arrays = {f"x{k.strip('?')}_name": draw.normal(0, 50, (5, 7)).astype(k) for k in kinds}
    if version != "4":
        arrays["deep"] = draw.normal(0, 1, (2, 3, 4))
    others = {"words": "text"} | ({} if version == "4" else {"s": {"a": 1.0}, "i": np.array([1j])})
    path = tmp_path / "a.mat"
    scipy.io.savemat(
        path, arrays | others, format=version[0], do_compression="compressed" in version
    )
    expected = scipy.io.loadmat(path)
    assert set(list_arrays(path)) == set(arrays)
    for name in arrays:
        assert np.array_equal(load_array(path, name, 1 << 20), expected[name]), name


def test_spread_is_even_and_keeps_the_ends() -> None:
    assert spread(list(range(11)), 3) == [0, 5, 10]
    assert spread([1, 2], 5) == [1, 2]
    assert spread([], 5) == []


def test_a_grey_jpeg_stays_grey(tmp_path: Path) -> None:
    picture = Image.new("L", (32, 32), 80)
    ImageDraw.Draw(picture).rectangle((4, 4, 9, 9), fill=200)
    picture.save(tmp_path / "a.jpg")
    assert open_image(tmp_path / "a.jpg", draft=8).mode == "L"
