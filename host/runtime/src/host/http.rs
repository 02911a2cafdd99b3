use std::sync::Arc;

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bytes::{Reader, Writer};
use crate::bindings::transport::longshore::transport::http::{
    Content as GuestContent, Host, HostClient, HostUpload, Request, Response,
};
use crate::bindings::transport::longshore::transport::types::Error as GuestError;
use crate::files::{GuestResult, guest_error};
use crate::http::{Answer, Client, Content, Upload};
use crate::limits;
use crate::state::State;

impl State {
    /// Gives an answer to the guest.
    fn answer(&mut self, answer: GuestResult<Answer>) -> Result<Result<Response, GuestError>> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(Response {
            status: answer.status,
            headers: answer.headers,
            body: self.push(Reader::new(Box::new(answer.body)))?,
        }))
    }
}

impl Host for State {}

impl HostClient for State {
    fn send(
        &mut self,
        client: Resource<Client>,
        request: Request,
        content: GuestContent,
    ) -> Result<Result<Response, GuestError>> {
        self.enter();
        let content = match content {
            GuestContent::None => Content::None,
            GuestContent::Inline(bytes) if bytes.len() > limits::PIECE => {
                return Ok(Err(guest_error("invalid-data", "an inline body of more than 1 MiB")));
            }
            GuestContent::Inline(bytes) => Content::Inline(bytes),
            GuestContent::Streamed(reader) => Content::Streamed(self.take_source(reader)?),
        };
        let control = Arc::clone(self.control());
        let answer = self.table.get(&client)?.send(&request, content, &control);
        self.answer(answer)
    }

    fn upload(&mut self, client: Resource<Client>, request: Request) -> Result<Result<Resource<Upload>, GuestError>> {
        self.enter();
        let control = Arc::clone(self.control());
        match self.table.get(&client)?.upload(&request, &control) {
            Ok(upload) => Ok(Ok(self.push(upload)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn drop(&mut self, client: Resource<Client>) -> Result<()> {
        self.enter();
        self.table.delete(client)?;
        Ok(())
    }
}

impl HostUpload for State {
    fn body(&mut self, upload: Resource<Upload>) -> Result<Result<Resource<Writer>, GuestError>> {
        self.enter();
        let sink = self.table.get(&upload)?.sink();
        Ok(Ok(self.push(Writer::Upload(sink))?))
    }

    fn finish(&mut self, upload: Resource<Upload>) -> Result<Result<Response, GuestError>> {
        self.enter();
        let upload = self.table.delete(upload)?;
        self.answer(upload.finish())
    }

    fn drop(&mut self, upload: Resource<Upload>) -> Result<()> {
        self.enter();
        self.table.delete(upload)?;
        Ok(())
    }
}
