"""An export on the Hugging Face Hub, by the Hub's own client; private unless asked otherwise.

Where to and as whom is the client's to say: ``HF_ENDPOINT``, and ``HF_TOKEN`` or `hf auth login`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from whatworks.base.errors import InputError, WhatworksError, get_first_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class HubPlace:
    """A repository of models, looked at before there is anything to send.

    Attributes:
        name: ``OWNER/NAME``.
        public: Whether everybody may read it.
    """

    name: str
    public: bool = False
    _token: str = field(default="", repr=False)

    def push(self, folder: Path) -> str:
        """Send an export as one commit; the repository is made if it is not there.

        Args:
            folder: The export, model card included.

        Returns:
            The address of the repository.

        Raises:
            InputError: If the Hub refuses or is not reached, or the repository is public and a
                private one was asked for. The export stays as it is.
        """
        from huggingface_hub import HfApi

        api = HfApi(token=self._token)
        try:
            url = api.create_repo(self.name, private=not self.public, exist_ok=True)
            self._require_kind(api, folder)
            api.upload_folder(
                repo_id=self.name, folder_path=folder, commit_message="An arm of whatworks"
            )
        except WhatworksError:
            raise
        except Exception as error:  # of the client, or of the two libraries that it sends by
            raise InputError(
                f"not pushed: {self._hide_token(get_first_line(error))}",
                place=self.name,
                remedy=f"the export is in {folder}: `hf upload {self.name} {folder}` sends it",
            ) from None  # the client's error holds the request, and that the token
        return str(url)

    def _require_kind(self, api: HfApi, folder: Path) -> None:
        """Refuse to show everybody what was meant for few: it holds prompts and rows."""
        if not self.public and not api.model_info(self.name).private:
            raise InputError(
                "this repository is public, and not pushed to",
                place=self.name,
                remedy=f"name another one, or say --public; the export is in {folder}",
            )

    def _hide_token(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text


def find_place(name: str, *, public: bool = False) -> HubPlace:
    """The repository to push to, before an export is made.

    Args:
        name: ``OWNER/NAME``.
        public: Whether everybody may read it.

    Raises:
        InputError: If the name is none, there is no token, or the client is not installed.
    """
    try:
        from huggingface_hub import get_token
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id
    except ModuleNotFoundError as error:
        raise InputError(
            f"pushing needs the package {error.name}",
            place="--push",
            remedy="pip install huggingface-hub",
        ) from error
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise _make_name_error(name, get_first_line(error)) from error
    if "/" not in name:
        raise _make_name_error(name, "no owner is named")
    token = get_token()
    if not token:
        raise InputError(
            "there is no token of the Hub",
            place="--push",
            remedy="set HF_TOKEN, or log in: hf auth login",
        )
    return HubPlace(name, public, token)


def _make_name_error(name: str, why: str) -> InputError:
    return InputError(
        f"{name!r} is no repository: {why}", place="--push", remedy="write OWNER/NAME"
    )
